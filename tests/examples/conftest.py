from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.teacher.server import TeacherServer


@pytest.fixture(scope="module")
def server() -> Iterator[TeacherServer]:
    with TeacherServer() as running:
        running.start()
        yield running
        running.shutdown()
