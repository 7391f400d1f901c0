"""A ledger that is gone although its calls cost money is not paid for again without asking."""

import dagster as dg
import pytest
from test_zoom_calls import RECIPE

from assets.paying_again import ask_before_paying_again
from assets.workspace import Workspace
from distill.storage.ledger import Entry
from videozoomer.lake.stamps import Stamp
from videozoomer.settings import Recipe


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    made = Workspace(Recipe.model_validate(RECIPE | {"home": str(tmp_path / "home")}))
    made.stamps.write("exemplars", Stamp("i", "c", {"calls_made": 3, "calls_paid_usd": 1.5}), "b")
    made.stamps.write("probes", Stamp("i", "c", {"calls_made": 3, "calls_paid_usd": 0.0}), "b")
    return made


@pytest.mark.parametrize("left", ["missing", "empty", "without calls"])
def test_a_stage_whose_paid_replies_are_gone_stops(workspace, left):
    path = workspace.ledger("exemplars", "b")
    if left == "empty":
        path.parent.mkdir(parents=True)
        path.touch()
    elif left == "without calls":
        workspace.open_ledger("exemplars", "b").close()
    with pytest.raises(dg.Failure, match=rf"exemplars of batch b .*\$1\.50 .*{path}.*--pay-again"):
        ask_before_paying_again(workspace, "exemplars", "b")
    ask_before_paying_again(Workspace(workspace.recipe, pay_again=True), "exemplars", "b")
    ask_before_paying_again(workspace, "probes", "b")  # They cost nothing.
    ask_before_paying_again(workspace, "exemplars", "c")  # It was never played.


def test_a_stage_with_its_ledger_goes_on(workspace):
    with workspace.open_ledger("exemplars", "b") as ledger:
        ledger.append(Entry("k", 0, 1.0, "episode", "e", "m", 0, 1.0, "d", "ok", True))
    ask_before_paying_again(workspace, "exemplars", "b")
