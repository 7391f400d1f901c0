"""Reading what a server sent: a chat completion, or an error and its kind."""

from __future__ import annotations

import contextlib
import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial

from pydantic import BaseModel, ConfigDict, ValidationError

from distill.client.calls import CallResult
from videozoomer.protocol.parsing import STOP, ZOOM

DROPPABLE = ("stop", "seed", "top_p", "temperature", "max_tokens")
"""Parameters that a server may reject; `max_tokens` is then sent under its newer name."""

_OVERFLOW = re.compile(
    r"context.{0,20}(length|window|size)|maximum.{0,20}(context|tokens|length)|too many tokens|prompt is too long|"
    r"max_model_len|exceeds?.{0,40}(context|token)",
    re.I,
)
_CONTENT = re.compile(r"content.?(filter|policy|management)|safety|moderation|prohibited", re.I)
_NOT_TAKEN = re.compile(
    r"unsupported|not.{0,4}support|unexpected|unknown|unrecogni[sz]ed|not.{0,4}(permitted|allowed)|extra|invalid", re.I
)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Details(_Lenient):
    cached_tokens: int | None = None


class _Usage(_Lenient):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None


class _ReplyMessage(_Lenient):
    content: str | None = None
    refusal: str | None = None


class _Choice(_Lenient):
    message: _ReplyMessage
    finish_reason: str | None = None


class _Completion(_Lenient):
    choices: list[_Choice]
    usage: _Usage | None = None


def read_completion(body: str, *, stop_sent: bool) -> CallResult:
    """A reply with status 200. Its tokens count even when it is useless: they are paid for."""
    try:
        completion = _completion(body)
    except (ValidationError, ValueError, RecursionError) as error:
        problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        return CallResult(
            "malformed",
            False,
            maybe_billed=True,
            error=f"the reply is not a chat completion ({problem}): {body[:200]!r}",
        )
    usage = completion.usage or _Usage()
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    counted = partial(
        CallResult,
        input_tokens=usage.prompt_tokens or 0,
        cached_tokens=cached or 0,
        output_tokens=usage.completion_tokens or 0,
        uncounted=usage.prompt_tokens is None,
    )
    if not completion.choices:
        return counted("empty_reply", True, error="the reply has no choices")
    choice = completion.choices[0]
    text, reason = choice.message.content, choice.finish_reason
    text = None if text is None else clean_text(text)
    if reason == "content_filter" or choice.message.refusal:
        return counted("refused", True, text, reason, error=choice.message.refusal or "stopped by a content filter")
    if reason == "length":
        return counted("cut_off", True, text, reason, error="the reply reached max_tokens before its end")
    if text is None:
        return counted("empty_reply", True, None, reason, error="the reply has no text")
    return counted("ok", True, close_zoom(text) if stop_sent and reason == "stop" else text, reason)


def _completion(body: str) -> _Completion:
    try:
        return _Completion.model_validate_json(body)
    except ValidationError:
        # Some servers send a lone surrogate in the middle of a character; only Python's parser accepts it.
        return _Completion.model_validate(json.loads(body))


def clean_text(text: str) -> str:
    """Without lone surrogates: JSON can contain them, SQLite and Parquet cannot."""
    return text.encode("utf-8", "replace").decode()


def close_zoom(text: str) -> str:
    """Restore the closing tag of a zoom: servers stop at it and leave it out of the reply."""
    _head, opened, call = text.rpartition(f"<{ZOOM}>")
    return text + STOP if opened and STOP not in call else text


def read_refusal(status: int, body: str, headers: dict[str, str], sent: frozenset[str]) -> CallResult:
    """A reply that is an error. `sent` holds the names of the parameters in the request."""
    sentence = f"HTTP {status}: {body[:500]}"
    if status == 429:
        if re.search(r"insufficient_quota|billing", body):
            return CallResult("stopped", False, error=f"the account has no credit left ({sentence})")
        return CallResult("rate_limited", False, error=sentence, retry_after_s=_retry_after(headers))
    if status in (401, 403) and not _CONTENT.search(body):
        return CallResult(
            "stopped",
            False,
            error=f"the server rejects the API key; set the variable that api_key_env names ({sentence})",
        )
    if status == 404:
        return CallResult(
            "stopped", False, error=f"the server has no such model or path; check base_url and model ({sentence})"
        )
    if status in (408, 425):
        return CallResult("timeout", False, error=sentence, retry_after_s=_retry_after(headers))
    if status in (409, 500) or status > 500:
        kind = "overloaded" if status in (502, 503, 504, 529) else "server_error"
        return CallResult(kind, False, error=sentence, retry_after_s=_retry_after(headers))
    if status == 413:
        return CallResult("too_large", True, error=sentence)
    if _OVERFLOW.search(body) and "max_completion_tokens" not in body:
        return CallResult("context_overflow", True, error=sentence)
    if _CONTENT.search(body):
        return CallResult("refused", True, error=sentence)
    for name in DROPPABLE:
        if name in sent and re.search(rf"\b{name}\b", body) and _NOT_TAKEN.search(body):
            return CallResult("bad_request", False, error=sentence, refused_parameter=name)
    return CallResult("bad_request", True, error=sentence)


def _retry_after(headers: dict[str, str]) -> float | None:
    """Seconds from `Retry-After-Ms` or `Retry-After`, which is in seconds or a date (RFC 9110, 10.2.3)."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with contextlib.suppress(KeyError, ValueError):
            return max(0.0, float(headers[name]) * unit_s)
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        # Relative to the server's own clock if it sends its date, since ours may be wrong.
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    except (KeyError, ValueError, TypeError):
        return None
