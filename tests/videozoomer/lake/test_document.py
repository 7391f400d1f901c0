from pathlib import Path

from videozoomer.lake.document import as_markdown


def test_the_written_page_is_what_the_declarations_say():
    page = Path(__file__).resolve().parents[3] / "docs" / "tables.md"
    assert page.read_text() == as_markdown(), "run `make docs`"
