"""Units of measurement: which are the same, and how many of one make another.

A table, because it is read for every answer: pint would know more units, but it also reads `a`, `in` and `C` as units
and takes longer to look one up than all grading takes.
"""

from __future__ import annotations

from fractions import Fraction

from filters.graders.phrases import lines

UNITS: dict[str, tuple[str, Fraction]] = {
    name: (dimension, Fraction(factor))
    for dimension, factor, names in (line.split(" | ") for line in lines("units"))
    for name in names.split()
}
"""Name in lower case -> its dimension and how many base units it has."""
CURRENCY = "$€£¥"


def measure(unit: str | None) -> tuple[str, Fraction] | None:
    """A unit's dimension and factor; None for a counted noun."""
    return None if unit is None else UNITS.get(unit.lower())


def in_kelvin(value: Fraction, dimension: str) -> Fraction | None:
    """A temperature in kelvins; None if the dimension is none."""
    if dimension == "celsius":
        return value + Fraction(27315, 100)
    if dimension == "fahrenheit":
        return (value - 32) * Fraction(5, 9) + Fraction(27315, 100)
    return value if dimension == "kelvin" else None
