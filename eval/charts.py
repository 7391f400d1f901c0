"""Plots as Vega-Lite specifications (altair), rendered to SVG or PNG without a network or a browser.

Colours come from a fixed palette; the report's style sheet maps each of them to a light and a dark variant, so plots
follow the reader's colour scheme.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair

INK, MUTED, GRID = "#14181d", "#59636e", "#e1e5ea"
BLUE, ORANGE, GREEN, GREY, RED = "#2b6c99", "#c7641f", "#4d8a4a", "#98a4b0", "#b5443c"
SERIES = (BLUE, ORANGE, GREEN, "#7a5ba6", GREY, RED)
"""Colours of players, conditions and kinds, in order."""
FONT = "system-ui, sans-serif"
ROLES = {"asked": GREY, "failed": RED, "rejected": ORANGE, "kept": GREEN}
"""Colours of the stages of the funnel."""
SHORT = 9
"""Characters of a shortened label: as many emoji as the narrowest labels have room for."""
_UNDRAWABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
WIDTH = 640
"""Width of a plot in pixels; in the report it shrinks with the page."""


def horizontal_steps(steps: Sequence[Mapping[str, Any]], title: str) -> altair.Chart:
    """A waterfall from top to bottom.

    Each step has `label`, `from`, `to`, `end` (where its text starts), `text` and `role` (a key of `ROLES`).
    """
    import altair as alt

    base = alt.Chart(_values([{**step, "order": n} for n, step in enumerate(steps)]))
    y = alt.Y("label:N", sort=alt.SortField("order"), title=None, axis=_names_axis([step["label"] for step in steps]))
    present = [name for name in ROLES if any(step["role"] == name for step in steps)]
    bars = base.mark_bar(height=16, cornerRadius=2).encode(
        y=y,
        x=alt.X("from:Q", title=title, axis=alt.Axis(tickMinStep=1, format="d")),
        x2="to:Q",
        color=alt.Color(
            "role:N",
            scale=alt.Scale(domain=present, range=[ROLES[name] for name in present]),
            legend=alt.Legend(title=None, orient="top"),
        ),
    )
    text = base.mark_text(align="left", dx=5, color=INK).encode(y=y, x=alt.X("end:Q"), text="text:N")
    return (bars + text).properties(width=WIDTH - 240, height=alt.Step(26))


def bars(
    rows: Sequence[Mapping[str, Any]],
    x: str,
    y: str,
    *,
    x_title: str,
    y_title: str,
    color: str | None = None,
    percent: bool = False,
) -> altair.Chart:
    """Vertical bars in row order: `x` names the label column, `y` the numeric column; stacked by `color` if given."""
    import altair as alt

    names = list(dict.fromkeys(row[x] for row in rows))
    encoding: dict[str, Any] = {
        "x": alt.X(f"{x}:N", sort=names, title=x_title, axis=alt.Axis(labelAngle=0, labelLimit=120)),
        "y": alt.Y(
            f"{y}:Q", title=y_title, axis=alt.Axis(format="%" if percent else "~s", tickMinStep=0 if percent else 1)
        ),
    }
    if color:
        encoding["color"] = _series(color, rows)
    return (
        alt.Chart(_values(rows))
        .mark_bar(color=BLUE, cornerRadiusEnd=2)
        .encode(**encoding)
        .properties(width=WIDTH - 120, height=200)
    )


def histogram(
    values: Sequence[float], *, title: str, y_title: str, bins: int = 20, limits: tuple[float, float] | None = None
) -> altair.Chart:
    """Counts of values from 0 to the maximum, or between `limits`."""
    import altair as alt

    step = alt.Bin(maxbins=bins, extent=list(limits or (0, max(values))))
    return (
        alt.Chart(_values([{"value": value} for value in values]))
        .mark_bar(color=BLUE, cornerRadiusEnd=2)
        .encode(
            x=alt.X(
                "value:Q",
                bin=step,
                title=title,
                axis=alt.Axis(format="~g", labelFlush=False, labelOverlap=True, labelSeparation=6),
            ),
            y=alt.Y("count():Q", title=y_title, axis=alt.Axis(tickMinStep=1, format="~s")),
        )
        .properties(width=WIDTH - 120, height=180)
    )


def dots(
    rows: Sequence[Mapping[str, Any]],
    *,
    label: str,
    color: str,
    title: str,
    limits: tuple[float, float] | None = (0.0, 1.0),
) -> altair.Chart:
    """Values with their intervals. Each row has `value`, `low` and `high` (None without an interval), and the columns
    that `label` and `color` name."""
    import altair as alt

    scale = alt.Scale(domain=list(limits)) if limits else alt.Scale(zero=False)
    names = list(dict.fromkeys(row[label] for row in rows))
    series = list(dict.fromkeys(row[color] for row in rows))
    y = alt.Y(f"{label}:N", sort=names, title=None, axis=_names_axis(names))
    base = alt.Chart(_values(rows)).encode(
        y=y, yOffset=alt.YOffset(f"{color}:N", sort=series), color=_series(color, rows)
    )
    x = alt.X("value:Q", title=title, scale=scale, axis=alt.Axis(format="%" if limits else "g"))
    spans = (
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=2, opacity=0.55)
        .encode(x=alt.X("low:Q"), x2="high:Q")
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(x=x)
    return (spans + points).properties(width=WIDTH - 220, height=alt.Step(18 if len(series) > 1 else 26))


def loss_curve(metrics: Sequence[Mapping[str, Any]]) -> altair.Chart:
    """Loss by optimiser step: single steps in grey, their running mean in front."""
    import altair as alt

    reach = len(metrics) // 25
    losses = [float(row["loss"]) for row in metrics]
    near = [losses[max(0, n - reach) : n + reach + 1] for n in range(len(losses))]
    rows = [
        {"step": row["step"], "loss": loss, "mean": sum(around) / len(around)}
        for row, loss, around in zip(metrics, losses, near, strict=True)
    ]
    base = alt.Chart(_values(rows)).encode(
        x=alt.X("step:Q", title="optimiser step", axis=alt.Axis(tickMinStep=1, format="d"))
    )
    single = base.mark_line(color=GREY, strokeWidth=1, point=alt.OverlayMarkDef(color=GREY, size=8)).encode(
        y=alt.Y("loss:Q", title="loss", scale=alt.Scale(zero=False))
    )
    smooth = base.mark_line(color=BLUE, strokeWidth=2.5).encode(y="mean:Q")
    return (single + smooth).properties(width=WIDTH - 80, height=220)


def curves(metrics: Sequence[Mapping[str, Any]], names: Sequence[str]) -> altair.Chart:
    """Small multiples over the steps, each on its own scale: one plot for each name that has values."""
    import altair as alt

    rows = [
        {"step": row["step"], "name": name.replace("_", " "), "value": float(row[name])}
        for name in names
        for row in metrics
        if row.get(name) is not None
    ]
    order = [name.replace("_", " ") for name in names]
    base = (
        alt.Chart(_values(rows))
        .mark_line(color=BLUE, strokeWidth=2, point=alt.OverlayMarkDef(color=BLUE, size=14))
        .encode(
            x=alt.X("step:Q", title=None, axis=alt.Axis(tickMinStep=1, format="d")),
            # The default format rounds to the tick spacing and would label a constant 0.5 as 1.
            y=alt.Y(
                "value:Q",
                title=None,
                scale=alt.Scale(zero=False),
                axis=alt.Axis(
                    labelExpr="abs(datum.value) >= 1000 ? format(datum.value, '~s') : format(datum.value, '.3~g')",
                    tickCount=4,
                ),
            ),
        )
    )
    plots = base.properties(width=(WIDTH - 160) // 3, height=90)
    return plots.facet(facet=alt.Facet("name:N", sort=order, title=None), columns=3).resolve_scale(y="independent")


def to_svg(chart: altair.Chart, name: str, description: str) -> str:
    """An SVG to embed in a page. `name` prefixes its ids so that they differ from those of other plots; screen readers
    read `description`."""
    import vl_convert

    drawn = vl_convert.vegalite_to_svg(drawable(_styled(chart).to_dict()))
    drawn = re.sub(r'id="([^"]+)"', rf'id="{name}-\1"', drawn)
    drawn = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", drawn)
    label = html.escape(description, quote=True)
    return re.sub(
        r'<svg\b[^>]*?width="([\d.]+)"[^>]*?viewBox="([^"]+)"[^>]*>',
        rf'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" viewBox="\2" style="width:\1px">',
        drawn,
        count=1,
    )


def to_png(chart: altair.Chart, scale: float = 1.5) -> bytes:
    """A PNG on a white background, for places without the report's style sheet."""
    import vl_convert

    return vl_convert.vegalite_to_png(drawable(_styled(chart).properties(background="white").to_dict()), scale=scale)


def drawable(spec: Any) -> Any:
    """A specification whose texts the renderer can measure; other texts are unchanged.

    A control character or a lone surrogate ends its process, and so does a label that it shortens in the middle of a
    character outside the basic plane, such as an emoji. So those become `?`, and such labels are shortened here.
    """
    shown: dict[str, str] = {}

    def text(value: str) -> str:
        if value not in shown:
            clean = _UNDRAWABLE.sub("?", value)
            if len(clean) > SHORT and max(clean) > "\uffff":
                clean = clean[: SHORT - 1] + "…"
            if clean != value:
                taken = set(shown.values())
                twins = (f"{clean[: SHORT - 4]}…{n}" for n in range(2, len(taken) + 3))
                clean = next(name for name in (clean, *twins) if name not in taken)
            shown[value] = clean
        return shown[value]

    def walk(part: Any) -> Any:
        match part:
            case str():
                return text(part)
            case list():
                return [walk(item) for item in part]
            case dict():
                return {key: walk(item) for key, item in part.items()}
        return part

    return walk(spec)


def _series(field: str, rows: Sequence[Mapping[str, Any]]) -> altair.Color:
    import altair as alt

    names = list(dict.fromkeys(row[field] for row in rows))
    colours = [SERIES[n % len(SERIES)] for n in range(len(names))]
    return alt.Color(
        f"{field}:N", sort=names, scale=alt.Scale(domain=names, range=colours),
        legend=alt.Legend(title=None, orient="top") if len(names) > 1 else None,
    )  # fmt: skip


def _names_axis(names: Sequence[str]) -> altair.Axis:
    """An axis of names, with room for fonts that are wider than the one measured here."""
    import altair as alt

    room = min(230.0, 8.0 * max(map(len, names), default=0))
    return alt.Axis(labelLimit=230, ticks=False, domain=False, grid=False, minExtent=room, labelPadding=8)


def _styled(chart: altair.Chart) -> altair.Chart:
    return (
        chart.configure(background="transparent", font=FONT, aria=False, padding=4)
        .configure_axis(
            labelColor=MUTED, titleColor=MUTED, gridColor=GRID, domainColor=GRID, tickColor=GRID,
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal", titlePadding=8,
        )
        .configure_legend(labelColor=MUTED, titleColor=MUTED, labelFontSize=12)
        .configure_view(stroke=None)
        .configure_text(fontSize=12)
    )  # fmt: skip


def _values(rows: Sequence[Mapping[str, Any]]) -> altair.Data:
    import altair as alt

    return alt.Data(values=[dict(row) for row in rows])
