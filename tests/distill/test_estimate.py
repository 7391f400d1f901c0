"""What a run will cost, estimated before anything is sent."""

import pytest
from chat_server import ChatServer
from distill_world import frames_at, make_items

from distill.client.chat import ChatPlayer
from distill.estimate import Assumed, estimate_run
from distill.exemplars import exemplar_jobs
from distill.rollouts import EpisodeRunner
from distill.storage.frames import FrameStore
from distill.storage.ledger import Ledger
from videozoomer.protocol import Protocol, load_prompts
from videozoomer.settings.endpoint import JudgeEndpoint
from videozoomer.settings.model import DistillSettings, Endpoint, FilterSettings, Prices, Recipe


def recipe(**fields):
    teacher = Endpoint(
        base_url="http://x", model="m", max_tokens=300, prices=Prices(input_per_million=1, output_per_million=4)
    )
    source = {"name": "s", "videos": "v", "questions": "q"}
    return Recipe(**({"name": "r", "home": "h", "sources": [source], "teacher": teacher} | fields))


def test_a_run_spends_at_most_its_estimate(tmp_path):
    chosen = recipe(distill=DistillSettings(samples=2), filters=FilterSettings(probe_samples=2))
    prompts = load_prompts("v1")
    guess = Assumed(zooms=1, zoom_frames=4)
    stages = {
        stage.stage: stage
        for stage in estimate_run(
            chosen, Protocol(), prompts, train_questions=10, evaluation_questions=4, overview_frames=4, assumed=guess
        )
    }
    assert list(stages) == ["probes", "exemplars", "reflections", "evaluation (zoom)", "evaluation (overview)"]
    assert stages["probes"].calls == 20 and stages["exemplars"].calls == 40 and stages["exemplars"].max_calls == 100
    assert all(0 < stage.cost_usd <= stage.max_cost_usd for stage in stages.values())
    with ChatServer() as server, FrameStore(tmp_path / "f.sqlite") as store, Ledger(tmp_path / "l.sqlite") as ledger:
        player = ChatPlayer(chosen.teacher.model_copy(update={"base_url": server.url}), ledger, store)
        jobs = exemplar_jobs(make_items(store, 10), chosen.distill)
        EpisodeRunner(player, frames_at, store, Protocol(), prompts).play_all(jobs)
        assert player.statistics()["made"] == stages["exemplars"].calls
        assert player.statistics()["paid_usd"] <= stages["exemplars"].max_cost_usd


def test_every_probe_of_evidence_is_priced_by_its_server():
    cheap = Endpoint(base_url="http://y", model="small", max_tokens=300, prices=Prices(input_per_million=0.1))
    filters = FilterSettings(probe_samples=2, evidence={"endpoint": cheap, "max_samples": 10})
    chosen = recipe(distill=DistillSettings(samples=2, max_samples=5), filters=filters)
    guess = Assumed(zooms=2, zoom_frames=10, probe_samples=4, choice_share=0.5, right_share=0.5, wrong_share=0)
    stages = {
        stage.stage: stage
        for stage in estimate_run(
            chosen, Protocol(), load_prompts("v1"), train_questions=100, evaluation_questions=0, assumed=guess
        )
    }
    probes = {name[10:-1]: stage for name, stage in stages.items() if name.startswith("evidence (")}
    assert {name: stage.calls for name, stage in probes.items()} == {
        "blind": 200, "sufficiency": 400, "shuffled": 200, "elsewhere": 400, "leave_one_out": 400,
    }  # fmt: skip
    assert {stage.model for stage in probes.values()} == {"small"}
    assert all(0 < stage.cost_usd <= stage.max_cost_usd for stage in probes.values())
    assert probes["sufficiency"].max_calls == (200 + 200) * 10 and probes["leave_one_out"].max_calls == 400 * 4 * 10
    assert stages["exemplars"].max_calls == 500 * 5, "up to max_samples"


def test_each_teacher_gets_its_share_of_the_exemplars():
    second, third = (
        Endpoint(base_url=f"http://{name}", model=name, prices=Prices(input_per_million=2)) for name in ("y", "z")
    )
    teachers = ({"endpoint": second, "share": 3}, {"endpoint": third, "share": 4})
    chosen = recipe(distill=DistillSettings(samples=4, more_teachers=teachers), filters=FilterSettings(judge=second))
    stages = estimate_run(chosen, Protocol(), load_prompts("v1"), train_questions=100, evaluation_questions=0)
    exemplars = [(stage.model, stage.episodes) for stage in stages if stage.stage == "exemplars"]
    assert exemplars == [("m", 50), ("y", 150), ("z", 200)] and stages[-1].stage == "judge"


def estimated_cost(stage: str, zooms: float, **fields) -> float:
    """Of one stage of a run whose teacher and judge are the same endpoint."""
    base = recipe()
    endpoint = base.teacher.model_copy(update=fields)
    judge = JudgeEndpoint(**{name: getattr(endpoint, name) for name in endpoint.model_fields_set})
    stages = estimate_run(
        base.model_copy(update={"teacher": endpoint, "filters": base.filters.model_copy(update={"judge": judge})}),
        Protocol(),
        load_prompts("v1"),
        train_questions=100,
        evaluation_questions=0,
        assumed=Assumed(zooms=zooms),
    )
    return next(found.cost_usd for found in stages if found.stage == stage)


@pytest.mark.parametrize("batch_share", [0.2, 0.5, 1.0])
def test_a_batch_discounts_first_turns_and_judges_alone(batch_share):
    prices = Prices(input_per_million=1, output_per_million=4, batch_share=batch_share)
    batched = {"batch": True, "prices": prices}
    first_turns = estimated_cost("exemplars", 0)
    saved = (1 - batch_share) * first_turns
    assert estimated_cost("exemplars", 0, **batched) == pytest.approx(first_turns - saved, rel=1e-6)
    assert estimated_cost("exemplars", 2, **batched) == pytest.approx(estimated_cost("exemplars", 2) - saved, rel=1e-6)
    assert estimated_cost("judge", 0, **batched) == pytest.approx(batch_share * estimated_cost("judge", 0), rel=1e-6)
    assert estimated_cost("exemplars", 2, prices=prices) == estimated_cost("exemplars", 2)


def test_a_second_vote_costs_a_second_call():
    one, two = (
        estimate_run(
            recipe(filters=FilterSettings(judge=JudgeEndpoint(base_url="http://j", votes=votes))),
            Protocol(),
            load_prompts("v1"),
            train_questions=100,
            evaluation_questions=0,
        )[-1]
        for votes in (1, 2)
    )
    assert (two.stage, two.calls) == ("judge", 2 * one.calls)
