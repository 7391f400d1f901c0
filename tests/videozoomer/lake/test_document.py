from pathlib import Path

from videozoomer.lake.document import as_markdown


def test_the_page_of_tables_is_up_to_date():
    page = Path(__file__).resolve().parents[3] / "docs" / "tables.md"
    assert page.read_text() == as_markdown(), "run `make docs`"
