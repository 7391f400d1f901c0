from pathlib import Path

import pytest

from filters.document import with_rules
from filters.grading import GRADERS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "filters.md"


def test_the_page_lists_the_current_rules():
    page = PAGE.read_text()
    assert page == with_rules(page), "run `python -m filters.document docs/filters.md`"


def test_the_page_describes_every_answer_type():
    page = PAGE.read_text()
    assert all(f"| `{answer_type}` |" in page for answer_type in GRADERS)


def test_a_page_without_the_markers_is_an_error():
    with pytest.raises(ValueError, match="lacks the lines"):
        with_rules("# Filters\n")
