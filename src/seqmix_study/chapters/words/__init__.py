"""Plain words about the tables of one execution: every sentence is computed, none is typed with a result in it.

One module a chapter. A function takes ``chapters.common.Tables`` and returns a list of sentences; a sentence that the
tables do not carry is not written, or says what is missing.
"""
