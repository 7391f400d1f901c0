"""What distillation keeps on disk: the ledger of calls, the budget, and the frames that were sent.

Belongs here: SQLite files that several threads and processes share. Does not belong here: HTTP.
"""
