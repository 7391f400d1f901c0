"""Reading what a server sent with status 200: a chat completion in any of the forms that servers send it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from distill.client.calls import CallResult
from distill.client.refusals import read_refusal
from distill.client.thoughts import text_and_reasoning, with_thought
from distill.client.usage import read_usage
from videozoomer.protocol.parsing import STOP, THINK, ZOOM

_CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "max_completion_tokens"})
_REFUSED = frozenset(
    "content_filter safety prohibited_content recitation blocklist spii image_safety refusal sensitive "
    "guardrail_intervened content_filtered".split()
)
_FAILED = frozenset(
    "error abort aborted cancelled canceled network_error other malformed_function_call unexpected_tool_call "
    "insufficient_system_resource finish_reason_unspecified unknown engine_error timeout".split()
)
"""Finish reasons of a reply that did not end by itself, in lower case; every other one is an ordinary end."""


class NotACompletion(Exception):
    """The body is no chat completion; the message says why."""


def read_completion(
    body: str, *, stop_sent: bool, headers: Mapping[str, str] | None = None, sent: frozenset[str] = frozenset()
) -> CallResult:
    """A reply with status 200. Its tokens count even when it is useless: they are paid for."""
    try:
        completion = _parsed(body)
    except NotACompletion as error:
        return CallResult(
            "malformed",
            False,
            maybe_billed=True,
            error=f"the reply is not a chat completion ({error}): {body[:200]!r}",
        )
    if failure := _error_of(completion):
        return read_refusal(*failure, dict(headers or {}), sent)
    usage = read_usage(completion.get("usage"), headers)
    counted = partial(
        CallResult,
        input_tokens=usage.input_tokens or 0,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens or 0,
        uncounted=usage.input_tokens is None or usage.output_tokens is None,
        cost_usd=usage.cost_usd,
        served_model=_name(completion.get("model")),
        fingerprint=_name(completion.get("system_fingerprint")),
        provider=_name(completion.get("provider")),
    )
    choices = completion["choices"]
    if not choices:
        return counted("empty_reply", False, error="the reply has no choices")
    choice = choices[0]
    message = choice["message"]
    content, reasoning = text_and_reasoning(message)
    content, reasoning = content and clean_text(content), reasoning and clean_text(reasoning)
    text = with_thought(content, reasoning)
    said = choice.get("finish_reason")
    reason = said if isinstance(said, str) else None
    ended = (reason or "stop").lower()
    refusal = message.get("refusal") if isinstance(message.get("refusal"), str) else None
    raw = None if text == content and not reasoning else json.dumps({"content": content, "reasoning": reasoning})
    whole = partial(counted, text=text, finish_reason=reason, raw=raw)
    if ended in _REFUSED or refusal:
        return whole("refused", True, error=refusal or f"stopped by a content filter ({reason})")
    if ended in _CUT_OFF:
        return whole("cut_off", True, error="the reply reached max_tokens before its end")
    if ended in _FAILED:
        return whole("server_error", False, error=f"the server ended the reply early (finish_reason {reason})")
    if not (text or "").strip():
        return whole("empty_reply", False, error="the reply has no text")
    if text is not None and stop_sent and _stopped_in_thought(text):
        sentence = "a zoom call that the thought mentions ended the reply before its own call"
        return whole("stopped_in_thought", False, text=close_zoom(text), error=sentence)
    return whole("ok", True, text=close_zoom(text or "") if stop_sent else text)


def _parsed(body: str) -> dict[str, Any]:
    """The completion in a body that may begin with a byte order mark, keep-alive comments or empty lines, or be a
    stream of events although none was asked for.

    Raises:
        NotACompletion: it is something else.
    """
    text = body.lstrip("\ufeff \t\r\n")
    if text.startswith((":", "data:", "event:")):
        text = "\n".join(line for line in text.splitlines() if not line.startswith(":")).lstrip()
    try:
        found = _joined_events(text) if text.startswith(("data:", "event:")) else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotACompletion(str(error)) from error
    if not isinstance(found, dict):
        raise NotACompletion("it is no JSON object")
    if _error_of(found):
        return found
    choices = found.get("choices")
    if not isinstance(choices, list):
        raise NotACompletion("it has no list of choices")
    for choice in choices[:1]:
        if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
            raise NotACompletion("its choice has no message")
    return found


def _joined_events(text: str) -> dict[str, Any]:
    """One completion from the events of a stream."""
    joined: dict[str, Any] = {}
    message: dict[str, Any] = {}
    reason = None
    seen = False
    for line in text.splitlines():
        data = line.removeprefix("data:").strip() if line.startswith("data:") else ""
        if not data or data == "[DONE]":
            continue
        event = json.loads(data)
        if not isinstance(event, dict):
            raise NotACompletion("an event of the stream is no JSON object")
        joined |= {name: value for name, value in event.items() if value is not None and name != "choices"}
        for choice in (event.get("choices") or [])[:1]:
            seen = True
            reason = choice.get("finish_reason") or reason
            delta = choice.get("delta") or choice.get("message") or {}
            for name in ("content", "reasoning_content", "reasoning", "refusal"):
                if isinstance(delta.get(name), str):
                    message[name] = message.get(name, "") + delta[name]
    if "error" in joined:
        return joined
    if not seen or reason is None:
        raise NotACompletion("the stream ended before the reply did")
    return joined | {"choices": [{"message": message, "finish_reason": reason}]}


def _error_of(completion: Mapping[str, Any]) -> tuple[int, str] | None:
    """Status and text of an error that came as a reply; None for a completion."""
    error = completion.get("error")
    choices = completion.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else {}
    error = error or first.get("error")
    if not error:
        return None
    code = str(error.get("code") or error.get("status")) if isinstance(error, Mapping) else ""
    status = int(code) if re.fullmatch("[45][0-9][0-9]", code) else 500
    return status, clean_text(error if isinstance(error, str) else json.dumps(error, ensure_ascii=False))


def _name(value: Any) -> str | None:
    return clean_text(value)[:200] if isinstance(value, str) and value else None


def clean_text(text: str) -> str:
    """Without lone surrogates: JSON can contain them, SQLite and Parquet cannot."""
    return text.encode("utf-8", "replace").decode()


def close_zoom(text: str) -> str:
    """Restore the closing tag of a zoom: servers stop at it and leave it out of the reply."""
    _head, opened, call = text.rpartition(f"<{ZOOM}>")
    return text + STOP if opened and STOP not in call else text


def _stopped_in_thought(text: str) -> bool:
    """Whether the end of the reply is a zoom call within a thought that was never closed."""
    thought = text.rpartition(f"<{THINK}>")[2]
    return f"<{THINK}>" in text and f"</{THINK}>" not in thought and f"<{ZOOM}>" in thought
