"""Training the policy and running it: token weights, fine-tuning on DeepSpeed, multi-turn GRPO, serving.

Belongs here: everything that touches tensors. Does not belong here: selecting the data (`filters/`, `shards/`).
DESIGN: training is a plain loop over `deepspeed.initialize`. A loss weight per turn, positions of tool frames and token
counts over a whole step take a few lines there, and a subclass of every component in a trainer framework.
"""
