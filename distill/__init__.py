"""Who plays the episode from outside: the chat client, the ledger of every call, and the episodes asked of a teacher.

Belongs here: talking to any OpenAI-compatible server (retries by kind, rate, budget), the journal that makes a rerun
replay what was answered, and the jobs for exemplars, reflections and probes. Does not belong here: grading, SQL,
Dagster, decoding (frames come from a function that the caller hands in).
"""
