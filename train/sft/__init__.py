"""Supervised fine-tuning: `python -m train.sft`.

Belongs here: order of samples, packing, the run. Does not belong here: the loss mask (`train/policy/loss_mask.py`).
"""
