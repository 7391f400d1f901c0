"""Shared by all training runs: processes, DeepSpeed, state to resume from, metrics, time, memory and FLOPs.

Belongs here: what does not depend on the kind of training. Does not belong here: a loss.
"""
