"""The loss mask: which tokens of a conversation are trained, and with what weight.

Only the policy's own turns count, each from its first character to the token that closes it. Everything that the policy
did not write (instructions, frames, tool answers) has weight zero. `chat_tokens` assigns the weights token by token.
"""

from __future__ import annotations

from dataclasses import dataclass

from videozoomer.protocol import Message
from videozoomer.protocol.parsing import ANSWER, ZOOM

MASKED = 0.0
"""Weight of a token that the policy did not write."""


@dataclass(frozen=True, slots=True)
class TurnWeights:
    """Loss weight of a turn by what it does; a turn that neither zooms nor answers counts 1."""

    failed: float = 0.0
    """For a message with `train=False`: the failed turn that a reflection repairs. It wins over `zoom` and `answer`."""
    zoom: float = 1.0
    answer: float = 1.0

    def of(self, message: Message) -> float:
        """Weight of every token of a message."""
        if message.role != "assistant":
            return MASKED
        if not message.train:
            return self.failed
        if f"<{ZOOM}>" in message.text:
            return self.zoom
        return self.answer if f"<{ANSWER}>" in message.text else 1.0


OWN_TURNS = TurnWeights()
"""All turns of the policy except failed ones."""
