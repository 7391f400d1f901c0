from pathlib import Path

from pipelines.document import rewritten


def test_the_drawn_graph_is_the_one_that_is_built():
    page = (Path(__file__).resolve().parents[2] / "ARCHITECTURE.md").read_text()
    assert page == rewritten(page), "run `make docs`"
    assert "reflections --> reflection_grades" in page
