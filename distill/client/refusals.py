"""What a refusal means: who can fix it, and so whether the call is retried now, retried by a later run, or given up.

`refusals.toml` lists how servers word their refusals. Only what the call itself causes is final; a later run asks again
where topping up the account, waiting or changing a setting helps.
"""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from pathlib import Path
from typing import Any

from distill.client.calls import CallResult

DROPPABLE = (
    "response_format",
    "stop",
    "seed",
    "top_k",
    "min_p",
    "repetition_penalty",
    "top_p",
    "temperature",
    "max_tokens",
)
"""Parameters that a server may reject; `max_tokens` is then sent under its newer name."""

TABLE = Path(__file__).with_name("refusals.toml")

_NOT_TAKEN = re.compile(
    r"unsupported|not.{0,4}support|unexpected|unknown|unrecogni[sz]ed|not.{0,4}(permitted|allowed)|extra|invalid|"
    r"does not|cannot (both )?be (specified|used|set)",
    re.I,
)
_VALUE = re.compile(
    r"too large|valid range|less than|at most|maximum|exceed|context.{0,20}(length|window)|\bimages?\b|api.?key|"
    r"credit|balance|\bmodel name|does not exist",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Meaning:
    kind: str
    """Kind of the failed call (`distill.client.errors`), or `stopped`: the whole step stops at once."""
    sentence: str
    """What is wrong and its remedy, before the server's own words; empty where those say it."""


MEANINGS = {
    "no_credit": Meaning("stopped", "the account has no credit left; top it up"),
    "bad_key": Meaning("stopped", "the server rejects the API key; set the variable that api_key_env names"),
    "no_access": Meaning("stopped", "the server denies access; use another key, or ask the server's owner"),
    "no_model": Meaning("stopped", "the server has no such model for this; check base_url and model"),
    "no_images": Meaning("stopped", "the model takes no images; name another model"),
    "no_path": Meaning("stopped", "the server has no such model or path; check base_url and model"),
    "moved": Meaning("stopped", "the server has moved; set base_url to its new address"),
    "max_tokens": Meaning("stopped", "the model does not write that much at once; lower max_tokens"),
    "too_many_images": Meaning(
        "too_large",
        "the server takes fewer images in a request; raise its limit (vLLM: --limit-mm-per-prompt), or set max_images "
        "and lower protocol.overview_frames or zoom_frames",
    ),
    "too_large": Meaning(
        "too_large", "the request is too large; raise the server's limit, or lower protocol.max_pixels"
    ),
    "beyond_a_minute": Meaning(
        "too_large", "the call is more than the account may use in a minute; raise its limit, or show fewer frames"
    ),
    "context": Meaning("context_overflow", ""),
    "refused": Meaning("refused", ""),
    "too_fast": Meaning("rate_limited", ""),
    "overloaded": Meaning("overloaded", ""),
    "timeout": Meaning("timeout", ""),
    "failed": Meaning("server_error", ""),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table."""

    means: str
    statuses: frozenset[int]
    """Empty: all."""
    body: re.Pattern[str] | None
    like: tuple[tuple[int, str], ...]
    report: str

    def fits(self, status: int, body: str) -> bool:
        return (not self.statuses or status in self.statuses) and (self.body is None or bool(self.body.search(body)))


@cache
def table() -> tuple[Row, ...]:
    rows: list[dict[str, Any]] = tomllib.loads(TABLE.read_text(encoding="utf-8"))["refusal"]
    return tuple(
        Row(
            row["means"],
            frozenset(row.get("status", ())),
            re.compile(row["body"], re.I | re.S) if "body" in row else None,
            tuple((status, body) for status, body in row["like"]),
            row["report"],
        )
        for row in rows
    )


def read_refusal(status: int, body: str, headers: Mapping[str, str], sent: frozenset[str]) -> CallResult:
    """A reply that is an error. `sent` holds the names of the parameters in the request."""
    sentence = f"HTTP {status}: {body[:500]}"
    if location := headers.get("location"):
        sentence += f" (to {location})"
    retry_after_s = _retry_after(headers, body)
    if (name := _refused_parameter(status, body, sent)) is not None:
        return CallResult("bad_request", False, error=sentence, refused_parameter=name)
    row = next((row for row in table() if row.fits(status, body)), None)
    if row is None:
        # An unknown refusal is never the call's own fault for good: a later run asks again.
        return CallResult(
            "server_error" if status >= 500 else "bad_request", False, error=sentence, retry_after_s=retry_after_s
        )
    meaning = MEANINGS[row.means]
    said = f"{meaning.sentence} ({sentence})" if meaning.sentence else sentence
    return CallResult(meaning.kind, meaning.kind == "refused", error=said, retry_after_s=retry_after_s)


def _refused_parameter(status: int, body: str, sent: frozenset[str]) -> str | None:
    """The parameter that a server rejects by name, which can be left out."""
    if status not in (400, 422):
        return None
    if "max_tokens" in sent and re.search(r"use .{0,4}max_completion_tokens", body):
        return "max_tokens"
    if _VALUE.search(body):
        return None  # Not the parameter, but its value or something else; the table knows.
    for name in DROPPABLE:
        if name in sent and re.search(rf"\b{name}\b", body) and _NOT_TAKEN.search(body):
            return name
    return None


_IN_BODY = re.compile(
    r"(?:try again|retry|wait|available|reset)[^.\d]{0,30}?(?:in|after|for)\s+"
    r"((?:\d+(?:\.\d+)?\s*(?:milliseconds?|ms|hours?|h|minutes?|m|seconds?|s)(?![a-z])\s*)+)",
    re.I,
)
_DELAY = re.compile(r'"retryDelay"\s*:\s*"(\d+(?:\.\d+)?)s"')
_FIELD = re.compile(r'"retry_after(?:_seconds)?"\s*:\s*"?(\d+(?:\.\d+)?)')
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|milli|h|m|s)", re.I)
_UNIT_S = {"ms": 0.001, "milli": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def _retry_after(headers: Mapping[str, str], body: str) -> float | None:
    """Seconds from `Retry-After-Ms` or `Retry-After`, which is in seconds or a date (RFC 9110, 10.2.3); else from the
    body, where some servers put it alone."""
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        with contextlib.suppress(KeyError, ValueError):
            return max(0.0, float(headers[name]) * unit_s)
    with contextlib.suppress(KeyError, ValueError, TypeError):
        until = parsedate_to_datetime(headers["retry-after"])
        # Relative to the server's own clock if it sends its date, since ours may be wrong.
        now = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    if found := _DELAY.search(body) or _FIELD.search(body):
        return float(found[1])
    if found := _IN_BODY.search(body):
        return sum(float(number) * _UNIT_S[unit.lower()] for number, unit in _PART.findall(found[1]))
    return None
