"""The policy itself: checkpoints, tokens and loss masks, frames to patches, one forward pass, generation.

Belongs here: what fine-tuning, RL and serving share about the model. Does not belong here: an optimiser.
"""
