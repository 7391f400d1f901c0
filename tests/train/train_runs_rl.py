"""A tiny recipe for reinforcement learning, and a script in which what the policy writes is prescribed.

A random policy writes nothing that could be told apart, so its tokens are chosen for it: every episode zooms to the
evidence, and every other one answers right. Their log-probabilities are the policy's own.
"""

from __future__ import annotations

from training_runs import a_recipe

from recipes.model import ProtocolSettings, Recipe, RlSettings

SCRIPT = '''
import os, sys
from train import journal, rl, rollout, rounds

ZOOM = '<think>a</think><video_zoom>{"segment": [1, 3], "fps": 2}</video_zoom>'
ANSWERS = ["<think>b</think><answer>%s</answer><|im_end|>" % letter for letter in "AB"]
real_choose, real_play = rollout.choose, rounds.play_groups
waiting = []

def play(policy, pixels, groups, *rest):
    tokens = lambda text: policy.tokenizer(text)["input_ids"]
    count = sum(map(len, groups))
    waiting[:] = [tokens(ZOOM) + tokens(ANSWERS[row % 2]) for row in range(count)]
    return real_play(policy, pixels, groups, *rest)

def choose(logits, temperatures, generators, never):
    masked = logits.float().clone()
    masked[:, never] = float("-inf")
    logprobs = masked.log_softmax(-1)
    return [(row[0], float(logprobs[index][row.pop(0)])) for index, row in enumerate(waiting)]

real_step = journal.Journal.step
def step(self, facts, *rest, **more):
    real_step(self, facts, *rest, **more)
    if facts["step"] == int(os.environ["DIE_AFTER"]):
        os._exit(9)

rollout.choose, rounds.play_groups, journal.Journal.step = choose, play, step
rl.main(sys.argv[1:])
'''


def a_rl_recipe(zero_stage: int) -> Recipe:
    settings = RlSettings(
        steps=5, learning_rate=1e-3, prompts=2, group=4, mini_batch=2, kl=0.01, max_new_tokens=60, max_tokens=4000, overview_budgets=(2, 4),
        episodes_at_once=8, forward_at_once=3, zero_stage=zero_stage, bf16=False, checkpoint_steps=2, seed=1,
    )
    return a_recipe().model_copy(update={"rl": settings, "protocol": ProtocolSettings(min_pixels=784, max_pixels=8000)})
