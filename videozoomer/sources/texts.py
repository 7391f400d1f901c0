"""Cells of a question file as text: what a table, a chart or a request cannot carry is found here."""

from __future__ import annotations

import re
from typing import Any

_UNUSABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def checked_text(value: Any, *, strip: bool = True) -> tuple[str, str | None]:
    """A cell's text and, if it has a character that nothing can carry, what that is; it is replaced by U+FFFD.

    A missing value and NaN are empty.
    """
    if value is None or (isinstance(value, float) and value != value):
        return "", None
    text = str(value).strip() if strip else str(value)
    if text.lower() == "nan":
        return "", None
    found = _UNUSABLE.search(text)
    if not found:
        return text, None
    kind = "half a character (a lone surrogate)" if found[0] >= "\ud800" else "a control character"
    return _UNUSABLE.sub("\ufffd", text), f"{kind}, U+{ord(found[0]):04X}"
