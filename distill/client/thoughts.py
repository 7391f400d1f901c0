"""Thoughts that a server moves out of the text, or whose tags it changes, put back as the protocol writes them.

A policy's turn is `<think>...</think>` and then a call or an answer. LiteLLM and vLLM's reasoning parsers cut the
thought out of `content` into `reasoning_content` or `reasoning`; hosted providers do the same with the native thoughts
of their models; templates of thinking models open the tag in the prompt, so that only `</think>` comes back; others
write tags of their own. Whatever can be put back without doubt is; the reply as it came is kept in the ledger.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from videozoomer.protocol.parsing import THINK

_OPEN, _CLOSE = f"<{THINK}>", f"</{THINK}>"
_FOREIGN = tuple(
    (re.compile(rf"\A\s*{opened}(.*?){closed}", re.S), re.compile(rf"\A([^<]*?){closed}", re.S))
    for opened, closed in (
        (r"<thought>", r"</thought>"),
        (r"<thinking>", r"</thinking>"),
        (r"<reasoning>", r"</reasoning>"),
        (r"<seed:think>", r"</seed:think>"),
        (r"\[THINK\]", r"\[/THINK\]"),
        (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
        (r"<\|channel\|?>\s*(?:analysis|thought)\s*(?:<\|message\|>)?", r"(?:<\|end\|>|<channel\|>)"),
        (r"◁think▷", r"◁/think▷"),
    )
)
"""How other models mark a thought at the beginning of a reply: whole, and with the opening tag left in the prompt."""


def with_thought(content: str | None, reasoning: str | None) -> str | None:
    """The text of a turn from what a server sent of it; None if it sent neither.

    A thought that `content` has itself is kept: then `reasoning` is the model's own and no part of the turn.
    """
    text = content or ""
    if _OPEN in text:
        return text
    if reasoning:
        if _OPEN in reasoning or _CLOSE in reasoning:
            # The parser found no end where it looked for one, and called the whole reply a thought.
            thought = reasoning if _OPEN in reasoning else _OPEN + reasoning
            return thought + (text if _CLOSE in thought else _CLOSE + text)
        if not text.strip():
            return _OPEN + reasoning  # It ended within its thought.
        head, closed, rest = text.partition(_CLOSE)
        return f"{_OPEN}{reasoning}{head}{_CLOSE}{rest}" if closed else f"{_OPEN}{reasoning}{_CLOSE}{text}"
    if _CLOSE in text:
        return _OPEN + text  # The template opened the tag in the prompt.
    for patterns in _FOREIGN:
        for pattern in patterns:
            if found := pattern.match(text):
                return f"{_OPEN}{found[1]}{_CLOSE}{text[found.end() :]}"
    return content


def text_and_reasoning(message: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """What a reply's message has of text and of thoughts, in any of the fields and forms that servers use."""
    content = message.get("content")
    text, moved = _joined(content) if isinstance(content, list) else (content, None)
    reasoning = next(
        (value for name in ("reasoning_content", "reasoning", "thinking") if (value := _text_of(message.get(name)))),
        None,
    )
    details = message.get("reasoning_details") or message.get("thinking_blocks")
    if reasoning is None and isinstance(details, list):
        reasoning = "".join(_text_of(part) or "" for part in details) or None
    text = text if isinstance(text, str) else None
    if called := _tool_calls(message.get("tool_calls")):
        text = f"{text or ''}\n{called}".lstrip()
    return text, reasoning or moved


def _tool_calls(calls: Any) -> str:
    """Tool calls that a server's parser moved out of the text, as models write them in it."""
    functions = [call.get("function") for call in calls if isinstance(call, Mapping)] if isinstance(calls, list) else []
    return "\n".join(
        f"<tool_call>{json.dumps({'name': one.get('name'), 'arguments': one.get('arguments')})}</tool_call>"
        for one in functions
        if isinstance(one, Mapping)
    )


def _joined(parts: Iterable[Any]) -> tuple[str | None, str | None]:
    """Text and thoughts of a content that is a list of parts."""
    text: list[str] = []
    thoughts: list[str] = []
    for part in parts:
        kind = part.get("type", "text") if isinstance(part, Mapping) else "text"
        where = thoughts if kind in ("thinking", "reasoning", "thought") else text
        if (found := _text_of(part)) is not None:
            where.append(found)
    return ("".join(text) if text else None), ("".join(thoughts) or None)


def _text_of(part: Any) -> str | None:
    """The text in a string, in a part, or in a list of parts."""
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "".join(_text_of(one) or "" for one in part) or None
    if isinstance(part, Mapping):
        return next(
            (found for name in ("text", "thinking", "reasoning", "content") if (found := _text_of(part.get(name)))),
            None,
        )
    return None
