"""The claims of the five founding documents on trial: a ledger of rules, and verdicts computed from result tables.

``ledger.yaml`` holds every claim in this project's own words with the rule that decides it. A decider is a function of
the result tables and the claim's parameters; nothing here can be typed in. Rules are older than the results they judge.
"""
