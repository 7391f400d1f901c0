"""The ways in which a call, an episode or a whole step can fail. Each has a name that tables, ledger and funnel share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distill.player import Reply

FINAL_KINDS = {
    "bad_request": "the server refuses the request as it is",
    "refused": "the provider's content filter or the model declined",
    "context_overflow": "the conversation is longer than the model's context",
    "too_large": "the request has more bytes or images than the server takes",
    "cut_off": "the reply reached max_tokens before its end",
    "empty_reply": "the server answered without a reply",
}
"""Outcomes of a call that a repetition would not change: journalled once, replayed for ever."""

PASSING_KINDS = {
    "rate_limited": "the server asks to slow down (429)",
    "overloaded": "the server is too busy or starting (502, 503, 504, 529)",
    "server_error": "the server failed (other 5xx)",
    "timeout": "no reply in time",
    "connection": "the connection could not be made or was lost",
    "malformed": "the reply is not the JSON of a chat completion",
}
"""Outcomes of a call that may differ next time: tried again within the run, and again in the next run."""

EPISODE_KINDS = {
    "frame_unreadable": "the video did not give a frame that the player asked for",
    "frame_missing": "a frame that a message shows is not in the frame store",
    "parent_unusable": "the failed episode that a reflection takes up cannot be rebuilt or has no round left",
    "unexpected": "an error that has no name here; the log has its trace",
}
"""Further reasons why an episode could not be played."""

RETRYABLE: frozenset[str] = frozenset(PASSING_KINDS) | {"unexpected"}
"""Failures of an episode that a later run tries again; for the others it would find the same."""


class CallFailed(Exception):
    """One call could not be had. `kind` is from `FINAL_KINDS` or `PASSING_KINDS` and names the episode's failure."""

    def __init__(self, kind: str, sentence: str, retryable: bool, reply: Reply | None = None) -> None:
        super().__init__(f"{kind}: {sentence}")
        self.kind = kind
        self.sentence = sentence
        self.retryable = retryable
        """Whether a later run tries it again."""
        self.reply = reply
        """What was paid for all the same (a cut-off reply has tokens and a price)."""


class StepStopped(Exception):
    """The step cannot go on; everything answered so far is journalled, so running again continues here."""


class EndpointDown(StepStopped):
    """The server has not answered for so long, or refuses every call, that going on would waste time."""


class BudgetSpent(StepStopped):
    """The next call could pass the cap."""
