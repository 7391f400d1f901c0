"""Whether the model that a reply names is the one that was asked for: gateways fall back to others without a word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

_VARIANT = re.compile(r":(?:free|nitro|floor|online|extended|beta|latest)$")
"""What routers add to a name without changing the model."""
_VERSION = re.compile(
    r"(?:[-@](?:20\d{6}|20\d\d-\d\d-\d\d|\d\d-\d\d(?:-20\d\d)?|\d{4}|\d{6}|0\d\d|latest|preview|exp))+$"
)
"""How providers mark the release of one model: dates, numbers with leading zeros."""


def is_another(asked: str, served: str | None, names: Sequence[str] = ()) -> bool:
    """Whether `served` names another model than `asked`. `names` are further names of the one that is meant, with `*`
    for anything.

    A provider's prefix, capitals and a release that only one of the two names make no difference.
    """
    if served is None:
        return False
    one, other = _plain(asked), _plain(served)
    if one == other or _VERSION.sub("", one) == other or one == _VERSION.sub("", other):
        return False
    return not any(fnmatchcase(text, name.casefold()) for name in names for text in (served.casefold(), other))


def _plain(name: str) -> str:
    return _VARIANT.sub("", name.strip().casefold().rstrip("/").rpartition("/")[2])
