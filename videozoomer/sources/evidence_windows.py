"""Column `evidence` in the forms that question files give it."""

from __future__ import annotations

import json
import math
from typing import Any

from videozoomer.protocol.evidence import Window
from videozoomer.sources.choices import Unusable


def windows_given(value: Any, *, loose: bool = False) -> tuple[Window, ...]:
    """Windows of a cell: a list of pairs or of objects with `start_s` and `end_s`, one pair, or `mm:ss-mm:ss`.

    With `loose` a text that is no time range, such as `whole video` or `nan-nan`, means that the evidence is unknown.

    Raises:
        Unusable: `bad_evidence`.
    """
    if value is None or value == "" or value != value:
        return ()
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            try:
                value = [[_seconds(part) for part in value.split("-")]]
                if loose and any(map(math.isnan, value[0])):
                    return ()
            except ValueError as error:
                if loose:
                    return ()
                raise Unusable("bad_evidence", f"evidence {value[:40]!r} is no list of [start_s, end_s]") from error
    if not isinstance(value, list):
        raise Unusable("bad_evidence", f"evidence {value!r} is no list of [start_s, end_s]")
    if len(value) == 2 and all(isinstance(bound, int | float) and not isinstance(bound, bool) for bound in value):
        value = [value]
    windows = []
    for window in value:
        bounds: Any = [window.get("start_s"), window.get("end_s")] if isinstance(window, dict) else window
        try:
            start_s, end_s = (float(bound) for bound in bounds)
        except (TypeError, ValueError) as error:
            raise Unusable("bad_evidence", f"{window!r} is no pair of seconds") from error
        if not 0 <= start_s <= end_s < math.inf:
            raise Unusable(
                "bad_evidence", f"window {start_s:g} to {end_s:g} s does not start at 0 or later and end after it"
            )
        windows.append(Window(start_s, end_s))
    return tuple(windows)


def _seconds(clock: str) -> float:
    total = 0.0
    for part in clock.strip().split(":"):
        total = total * 60 + float(part)
    return total
