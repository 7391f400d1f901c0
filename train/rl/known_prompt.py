"""A known prompt that server and trainer both score, to see whether the server has the trainer's weights."""

from __future__ import annotations

import io
from functools import cache
from typing import TYPE_CHECKING

from train.policy.chat_tokens import Tokens
from train.policy.checkpoint import Policy
from train.policy.episode_tokens import RolloutLimits
from train.policy.frame_pixels import FramePixels
from train.rl.server_requests import Reply
from train.rl.shared_prefix import SharedPrefix, collate_group
from videozoomer.protocol import Image, Message, Text
from videozoomer.protocol.frame_id import frame_id_of

if TYPE_CHECKING:
    import torch

SEED = 20260101
LIMITS = RolloutLimits(temperature=1.0, max_new_tokens=24, max_tokens=4096)


@cache
def picture() -> bytes:
    """A JPEG of a colour gradient, so that a stale vision tower or cache shows too."""
    from PIL import Image as Picture

    gradient = Picture.merge(
        "RGB", [Picture.linear_gradient("L").rotate(turn).resize((112, 84)) for turn in (0, 90, 180)]
    )
    target = io.BytesIO()
    gradient.save(target, "JPEG", quality=90)
    return target.getvalue()


def messages() -> list[Message]:
    parts = (Text("Describe the picture, then count from one to ten.\n"), Image(frame_id_of(picture()), 0.0))
    return [Message("user", parts)]


def tokens(policy: Policy) -> Tokens:
    return policy.chat.encode(messages(), pixels(policy).tokens, prompt=True)


def pixels(policy: Policy) -> FramePixels:
    return FramePixels(policy.image_processor, lambda _: picture())


def gap(policy: Policy, reply: Reply, device: torch.device) -> float:
    """Mean difference, in nats, between the server's log-probabilities of its reply and the policy's."""
    import torch

    prompt = tokens(policy)
    whole = Tokens([*prompt.ids, *reply.ids], [0.0] * len(prompt.ids) + [1.0] * len(reply.ids), tuple(prompt.frame_ids))
    batch = collate_group([whole], policy, pixels(policy)).to(device)
    training = policy.model.training
    policy.model.eval()
    with torch.no_grad():
        own, _ = SharedPrefix(policy.model)(
            batch.prefix, batch.endings, batch.targets, policy.chat.never_sampled, LIMITS.temperature
        )
    policy.model.train(training)
    return float((own[0].float().cpu() - torch.tensor(reply.logprobs)).abs().mean())
