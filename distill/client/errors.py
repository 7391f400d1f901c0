"""How a call or a whole step can fail. Tables, ledger and funnel share the names of the kinds."""

from __future__ import annotations

from distill.client.calls import Reply

FINAL_KINDS = {
    "refused": "the provider's content filter or the model declined",
    "cut_off": "the reply reached max_tokens before its end",
}
"""Failures of the call itself, which nothing but another call would change: recorded once, replayed from then on. (The
key contains max_tokens, so a raised one is another call.)"""

WAITING_KINDS = {
    "bad_request": "the server rejects the request, for a reason that is not known here",
    "context_overflow": "the conversation is longer than the model's context",
    "another_model": "the reply names another model, and the recipe refuses those",
    "too_large": "the request has more bytes, images or tokens than the server accepts",
}
"""Failures that a setting of the recipe or of the server would fix: not retried in the same run, but in the next. If
the first calls of a step all fail like this, the step stops."""

PASSING_KINDS = {
    "rate_limited": "the server asks to slow down (429)",
    "overloaded": "the server is too busy or still starting (502, 503, 504, 529)",
    "server_error": "the server failed (other 5xx)",
    "timeout": "no reply in time",
    "connection": "the connection failed or was lost",
    "malformed": "the reply is not the JSON of a chat completion",
    "empty_reply": "the server replied without any text",
    "stopped_in_thought": "a zoom call within the thought ended the reply; asked again without `stop`",
}
"""Failures that may not happen again: retried within the run, and again in the next run."""


class CallFailed(Exception):
    """One call failed. `kind` is from `FINAL_KINDS`, `WAITING_KINDS` or `PASSING_KINDS` and becomes the episode's
    failure."""

    def __init__(self, kind: str, sentence: str, retryable: bool, reply: Reply | None = None) -> None:
        super().__init__(f"{kind}: {sentence}")
        self.kind = kind
        self.sentence = sentence
        self.retryable = retryable
        """Whether a later run retries it."""
        self.reply = reply
        """What was paid for nevertheless (a cut-off reply has tokens and a price)."""


class StepStopped(Exception):
    """The step cannot continue. Every answer so far is in the ledger, so running again resumes here."""


class EndpointDown(StepStopped):
    """The server has been silent for too long, or rejects every call."""


class BudgetSpent(StepStopped):
    """The next call could exceed the budget."""
