from pathlib import Path

import pytest
from filter_rows import Rows


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    """An empty lake to add rows to."""
    return Rows(tmp_path)
