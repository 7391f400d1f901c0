"""The policy: model loading, tokens and loss masks, supervised fine-tuning on DeepSpeed, and playing with it.

Belongs here: everything that touches tensors. Does not belong here: choosing the data (filters/, shards/).
DESIGN: training is a plain loop on `deepspeed.initialize` because a loss weight for each turn, positions for tool
frames and token counts over a whole step are a few lines there and a subclass of everything in a trainer.
"""
