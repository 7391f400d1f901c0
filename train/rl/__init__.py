"""Multi-turn GRPO: `python -m train.rl`.

Belongs here: rounds of play, rewards, advantages, the loss over them. Does not belong here: graders (`filters/graders`).
"""
