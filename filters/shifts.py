"""Tests whether the shares of a trait's values differ before and after a rule; see filters/balance.py for the test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

SIGNIFICANT = 1e-4
"""Chance of a false warning of one test. A run makes some hundreds of them."""
LEAST_EFFECT = 0.1
"""Cohen's w, below which a shift is no warning, however certain it is."""
LEAST_EXPECTED = 5.0
"""Expected items of a value, for chi-square to hold (Cochran, "Some Methods for Strengthening the Common Chi-square
Tests", 1954)."""
OTHERS = "others"
OF_FILMS = ("film", "duration")
"""Traits that all questions about a film share."""
NOUNS = {"question": "training questions", "evaluation": "evaluation questions"}


@dataclass(frozen=True, slots=True)
class Shift:
    before: int
    """Items before."""
    after: int
    units: int
    """Different questions before, or films where the trait is one of films."""
    effect: float | None = None
    """Cohen's w; None if there is too little to test."""
    chi_square: float | None = None
    """Divided by the mean number of items of a unit."""
    degrees: int | None = None
    p_value: float | None = None
    warning: str | None = None

    def to_row(self) -> dict:
        return asdict(self)


def of_rule(
    kind: str, rule: str, trait: str, before: Mapping[str, float], after: Mapping[str, float], units: int
) -> Shift:
    """The shift from `before` to `after`, which is a part of it. Both are value -> items; `units` is of `before`."""
    total, left = sum(before.values()), sum(after.values())
    plain = Shift(round(total), round(left), units)
    if not 0 < left < total or not units:
        return plain
    scale = units / total
    pooled = _pooled({value: (rows, after.get(value, 0)) for value, rows in before.items()}, scale, left / total)
    if len(pooled) < 2:
        return plain
    statistic = sum(
        (found - rows * share) ** 2 / (rows * share)
        for rows, kept in pooled.values()
        for found, share in ((kept, left / total), (rows - kept, 1 - left / total))
    )
    shares = {value: (rows / total, kept / left) for value, (rows, kept) in pooled.items()}
    return _tested(plain, kind, rule, trait, shares, statistic * scale)


def against_chance(
    kind: str, rule: str, trait: str, expected: Mapping[str, float], found: Mapping[str, float], units: int
) -> Shift:
    """The shift from what chance gives, which has as many items, to what there is."""
    total = sum(found.values())
    plain = Shift(round(total), round(total), units)
    scale = units / total
    both = {value: (rows, found.get(value, 0)) for value, rows in expected.items()}
    pooled = _pooled(both, scale, 1.0)
    if len(pooled) < 2:
        return plain
    statistic = sum((there - rows) ** 2 / rows for rows, there in pooled.values())
    shares = {value: (rows / total, there / total) for value, (rows, there) in pooled.items()}
    return _tested(plain, kind, rule, trait, shares, statistic * scale)


def _pooled(both: Mapping[str, tuple[float, float]], scale: float, share: float) -> dict[str, tuple[float, float]]:
    """Values with too few expected items on either side as one; with the rarest other value if still too few."""
    least = LEAST_EXPECTED / (scale * (min(share, 1 - share) if share < 1 else 1.0))
    listed = sorted(both.items(), key=lambda one: (-one[1][0], one[0]))
    kept = {value: pair for value, pair in listed if pair[0] >= least}
    rare = [pair for value, pair in listed if pair[0] < least]
    if not rare:
        return kept
    rest = (sum(pair[0] for pair in rare), sum(pair[1] for pair in rare))
    if rest[0] < least and kept:
        value = list(kept)[-1]
        rows, there = kept.pop(value)
        kept[value if rest[0] == 0 else f"{value} and {OTHERS}"] = (rows + rest[0], there + rest[1])
        return kept
    return kept | {OTHERS: rest} if rest[0] >= least else {}


def _tested(
    plain: Shift, kind: str, rule: str, trait: str, shares: Mapping[str, tuple[float, float]], statistic: float
) -> Shift:
    """`shares`: value -> (before, after), from 0 to 1."""
    from scipy.stats import chi2

    degrees = len(shares) - 1
    effect = math.sqrt(sum((after - before) ** 2 / before for before, after in shares.values()))
    p_value = float(chi2.sf(statistic, degrees))
    warning = None
    if p_value < SIGNIFICANT and effect >= LEAST_EFFECT:
        units = "films" if trait in OF_FILMS else "questions"
        warning = _sentence(plain, kind, rule, trait, shares) + (
            f" (chi-square {statistic:.1f}, {degrees} df, {plain.units:,} {units}, p = {p_value:.0e}, below "
            f"{SIGNIFICANT:.0e}; Cohen's w {effect:.2f}, at least {LEAST_EFFECT})"
        )
    return Shift(plain.before, plain.after, plain.units, effect, statistic, degrees, p_value, warning)


def _moved(one: tuple[str, tuple[float, float]]) -> tuple[float, float]:
    """By how much a value's share moved; of two that moved as far, the one that gained."""
    _, (before, after) = one
    return round(abs(after - before), 9), after - before


def _sentence(plain: Shift, kind: str, rule: str, trait: str, shares: Mapping[str, tuple[float, float]]) -> str:
    value, (before, after) = max(shares.items(), key=_moved)
    what = NOUNS.get(kind, f"{kind}s")
    if rule == "chance":
        kept = f"{after:.1%} of the {plain.after:,} that are kept"
        return f"{what}, {trait}: {value!r} in {kept}, where chance gives {before:.1%}"
    return (
        f"{what}, {trait}: {value!r} goes from {before:.1%} of {plain.before:,} to {after:.1%} of {plain.after:,} "
        f"by {rule}"
    )
