"""Tables in, statistics out: fits, effects with intervals, and the verdicts of the claims. Never imports torch.

``ledger.yaml`` holds every claim of the founding documents, and ten of recent papers, in this project's own words with
the rule that decides it. A decider is a function of the result tables and the claim's parameters; nothing here can be
typed in. Rules are older than the results they judge.
"""
