"""Building blocks of the page. All text from data goes through `escape`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair

__all__ = [
    "Raw",
    "Section",
    "count",
    "escape",
    "facts_list",
    "figure",
    "interval",
    "key_numbers",
    "note",
    "number",
    "share",
    "size",
    "table",
    "words",
]

MAX_ROWS = 100
"""Longer tables are truncated, with a note."""


class Raw(str):
    """A table cell that already is HTML."""


@dataclass(frozen=True, slots=True)
class Section:
    id: str
    title: str
    body: str
    absent: list[str] = field(default_factory=list)
    """Sentences about what did not run and is therefore missing from this section."""


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """An HTML table. Numeric columns are right-aligned; None becomes a dash."""
    listed = [list(row) for row in rows]
    shown = listed[:MAX_ROWS]
    numeric = [
        bool(shown) and all(_is_figure(row[n]) for row in shown) and any(row[n] is not None for row in shown)
        for n in range(len(headers))
    ]
    mark = [' class="figure"' if is_number else "" for is_number in numeric]
    head = "".join(f'<th scope="col"{mark[n]}>{escape(header)}</th>' for n, header in enumerate(headers))
    body = "".join(
        "<tr>" + "".join(f"<td{mark[n]}>{_cell(value)}</td>" for n, value in enumerate(row)) + "</tr>" for row in shown
    )
    left_out = "" if len(listed) <= MAX_ROWS else note(f"The run's tables contain {len(listed) - MAX_ROWS} more rows.")
    titled = f"<caption>{escape(caption)}</caption>" if caption else ""
    whole = f"<table>{titled}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" tabindex="0">{whole}</div>{left_out}'


def facts_list(pairs: Mapping[str, Any]) -> str:
    """A description list of names and values."""
    inner = "".join(
        f"<div><dt>{escape(str(name).replace('_', ' '))}</dt><dd>{_cell(value)}</dd></div>"
        for name, value in pairs.items()
    )
    return f"<dl>{inner}</dl>"


def key_numbers(numbers: Sequence[tuple[str, str, str]]) -> str:
    """The numbers at the top of the page, each as (name, value, details)."""
    inner = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd><dd class='small'>{escape(details)}</dd></div>"
        for name, value, details in numbers
    )
    return f'<dl class="headline">{inner}</dl>'


def figure(chart: altair.Chart, name: str, caption: str) -> str:
    """A plot with its caption, which is also its description for screen readers."""
    from eval.charts import to_svg

    return f"<figure>{to_svg(chart, name, caption)}<figcaption>{escape(caption)}</figcaption></figure>"


def note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def count(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}%"


def interval(low: float | None, high: float | None, write: Any = share) -> str:
    return "–" if low is None or high is None else f"{write(low)} to {write(high)}"


def size(amount: int | None) -> str:
    """A number of bytes in decimal units."""
    if amount is None:
        return "–"
    value = float(amount)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def words(name: str) -> str:
    """A name from a table in readable form."""
    return name.replace("_", " ")


def _is_figure(value: Any) -> bool:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return True
    return isinstance(value, str) and value != "" and (value == "–" or value[0] in "0123456789+-−$")


def _cell(value: Any) -> str:
    if isinstance(value, Raw):
        return value
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:,.4g}"
    # Allow line breaks after slashes in paths, but never within a word.
    return escape(str(value)).replace("/", "/<wbr>")
