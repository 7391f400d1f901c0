"""The stamps of the report and the trajectory browser hold a hash of the page, so that a changed page is noticed."""

from pathlib import Path

import dagster as dg
import pytest
from location_snapshot import recipe_of

import eval.report
import eval.viewer.page
from assets import reporting
from assets.workspace import Workspace
from eval.report import ReportFacts

ASSET = {"report": reporting.report, "viewer": reporting.viewer}


@pytest.fixture
def stamp_of(tmp_path, monkeypatch):
    """Run the asset on a page with this text and return the content in its stamp."""
    workspace = Workspace(recipe_of("demo").model_copy(update={"home": str(tmp_path)}))

    def run(name: str, text: str, made_at: str | None = None) -> str:
        def write(target: Path) -> Path:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
            return target

        monkeypatch.setattr(reporting, "report_facts", lambda workspace: ReportFacts(made_at=made_at))
        monkeypatch.setattr(eval.report, "write_report", lambda lake, facts, target: write(target))
        monkeypatch.setattr(eval.viewer.page, "write_viewer", lambda lake, target: write(target))
        assert dg.materialize([ASSET[name]], resources={"workspace": workspace}).success
        stamp = workspace.stamps.read(name)
        assert stamp is not None and stamp.facts == {"bytes": len(text)}
        return stamp.content

    return run


@pytest.mark.slow
@pytest.mark.parametrize("name", ASSET)
def test_two_pages_of_the_same_length_have_different_stamps(name, stamp_of):
    first = stamp_of(name, "84 kept")
    assert stamp_of(name, "85 kept") != first
    assert stamp_of(name, "84 kept") == first


def test_the_time_of_writing_does_not_change_the_stamp_of_the_report(stamp_of):
    first = stamp_of("report", "84 kept, 09:00", made_at="09:00")
    assert stamp_of("report", "84 kept, 10:00", made_at="10:00") == first
