"""Answering conversations with a checkpoint: as a player in this process, or as an OpenAI-compatible server.

Belongs here: batching of waiting calls, the chat protocol. Does not belong here: training.
"""
