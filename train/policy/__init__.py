"""The policy: checkpoints, tokens and loss weights, frames as patches, the forward pass, generation.

Belongs here: what fine-tuning, RL and serving share about the model. Does not belong here: an optimiser.
"""
