"""The client of an OpenAI-compatible server: HTTP, retries, rate limits, capabilities, costs and the Batch API.

Belongs here: how one call is encoded, sent, read and retried. Does not belong here: which episodes are played, grading.
"""
