"""Multi-turn GRPO: `python -m train.rl`.

Belongs here: rollouts, rewards, advantages and the loss over them. Does not belong here: graders (`filters/graders`).
"""
