"""A checkpoint answers conversations: in this process as a player, or as an OpenAI-compatible server.

Belongs here: batching of waiting calls, the chat protocol. Does not belong here: training.
"""
