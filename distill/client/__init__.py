"""Asking an OpenAI-compatible server: HTTP, retries, rate, capabilities, cost, and the Batch API.

Belongs here: how one call is written, sent, read and repeated. Does not belong here: which episodes are wanted, grading.
"""
