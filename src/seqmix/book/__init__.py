"""Assemble the executed chapters and the pages written by hand into the book, and check it. Never imports torch."""
