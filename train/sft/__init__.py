"""Supervised fine-tuning on verified trajectories: `python -m train.sft`.

Belongs here: order of rows, packing, the loop. Does not belong here: tokens and loss masks (`train/policy`).
"""
