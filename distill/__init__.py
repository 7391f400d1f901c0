"""Playing episodes with models behind a server: the chat client, the ledger of its calls, and the episodes of a
teacher.

Belongs here: calls to any OpenAI-compatible server (retries, rate limits, budget), the ledger from which a rerun
replays earlier replies, and the jobs for exemplars, reflections and probes. Does not belong here: grading, SQL,
Dagster, decoding (the caller passes a function that returns frames).
"""
