"""What every test has: no deadline a property test could miss on a busy machine, and no deprecated call of ours."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator

import pytest
from hypothesis import settings

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers share the cores: a torch that takes all of them in each worker is slower than one thread each.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")

SLOW_FIXTURES = {"finished"}
"""Fixtures that run the full pipeline or a whole training: every test that looks at what they left is slow."""

DEPRECATED = re.compile(r"deprecat|will be removed in", re.IGNORECASE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


class _Deprecations(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if DEPRECATED.search(record.getMessage()):
            self.found.append(record.getMessage())


@pytest.fixture(autouse=True)
def no_deprecation_is_logged() -> Iterator[None]:
    """transformers logs a part of its deprecations instead of warning, so that `filterwarnings` cannot see them."""
    handler = _Deprecations()
    logger = logging.getLogger("transformers")
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)
    assert not handler.found, f"transformers logged deprecations: {handler.found}"
