import dataclasses
import json
import re
from html.parser import HTMLParser

import pytest
from lake_fixture import World, write_lake

from assets.reporting import evaluated_in
from eval.report import ReportFacts, write_report
from eval.report.facts import FactsError
from eval.report.making import funnel_steps
from eval.report.page import SECTIONS, headline
from videozoomer.lake.lake import Lake
from videozoomer.settings import Recipe

VOID = {"meta", "wbr", "br", "img", "hr", "link", "input"}
IDS = [
    "ran",
    "videos",
    "shots",
    "questions",
    "funnel",
    "balance",
    "pass",
    "calls",
    "zooms",
    "shards",
    "training",
    "reinforcement",
    "evaluations",
    "leaks",
    "absent",
]


class Checker(HTMLParser):
    """Checks that tags nest; collects ids and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.unnamed_plots = 0

    def handle_starttag(self, tag, attrs):
        named = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in named:
            self.ids.append(named["id"])
        self.addresses += [value for name, value in attrs if name in ("href", "src", "xlink:href") and value]
        self.unnamed_plots += tag == "svg" and not named.get("aria-label")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()


def check(page: str) -> Checker:
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert not checker.open
    assert len(set(checker.ids)) == len(checker.ids)
    assert [i for i in checker.ids if i in IDS] == IDS
    assert {a for a in checker.addresses if not a.startswith("#")} <= {"trajectories.html"}, (
        "the page loads nothing from elsewhere"
    )
    assert not re.search(r"url\((?!#)|@import|<script", page)
    assert checker.unnamed_plots == 0
    return checker


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    return write_lake(tmp_path_factory.mktemp("world"), width=64)


def facts(world: World) -> ReportFacts:
    return ReportFacts(
        "synthetic", {"max_zooms": 4}, {"server": "http://localhost/v1"}, {"sft": world.shards}, world.training,
        {"exemplars": {"calls": 103}}, "trajectories.html", "2026-11-22",
    )  # fmt: skip


def test_full_report(world, tmp_path):
    page = write_report(world.lake, facts(world), tmp_path / "deep" / "index.html").read_text()
    checker = check(page)
    assert page.count("<svg") >= 10
    for text in (
        "broken.mp4",
        "No frame could be decoded",
        "wrong answer",
        "video_signature".replace("_", " "),
        "data set for reinforcement learning was not written",
        "0.521",
        "61.2",
    ):
        assert text.replace("/", "/<wbr>") in page, text
    assert len(checker.ids) > len(SECTIONS)
    assert not list(tmp_path.glob("deep/.*")), "no temporary file is left"
    kept = (world.lake.read("verdicts")["outcome"] == "kept").sum()
    assert ("trajectories kept", str(kept), f"of {world.lake.read('verdicts').height} candidates") in headline(
        world.lake, facts(world)
    )


def test_an_earlier_recipes_evaluation_is_not_of_this_run(tmp_path):
    """A home that trained before keeps the evaluation of its policy when a later recipe trains nothing."""
    lake = Lake(tmp_path)
    row = {"setting": "zoom", "metric": "accuracy", "slice": "all", "value": 0.5, "low": None, "high": None,
           "questions": 4, "unknown": 0}  # fmt: skip
    for partition, player in (("evaluation_teacher", "big"), ("evaluation_policy", "tadpole")):
        lake.write("evaluations", [row | {"player": player}], partition)
    without = ReportFacts(evaluated=("evaluation_teacher",))
    page = write_report(lake, without, tmp_path / "index.html").read_text()
    assert "accuracy of big" in page and "tadpole" not in page
    assert {name for name, _, _ in headline(lake, ReportFacts())} >= {"accuracy of big", "accuracy of tadpole"}


@pytest.mark.parametrize(
    ("settings", "stages"),
    [
        ({}, ("evaluation_teacher",)),
        ({"policy": {"tiny": {}}}, ("evaluation_teacher", "evaluation_policy")),
        ({"policy": {"tiny": {}}, "rl": {"enabled": True}},
         ("evaluation_teacher", "evaluation_policy", "evaluation_rl_policy")),
    ],
)  # fmt: skip
def test_the_evaluations_of_a_recipe(settings, stages):
    source = {"name": "films", "videos": "v", "questions": "q.csv"}
    recipe = {"name": "x", "home": "h", "sources": [source], "teacher": {"base_url": "http://t/v1", "model": "m"}}
    assert evaluated_in(Recipe.model_validate(recipe | settings)) == stages


def test_report_of_an_empty_lake_lists_what_did_not_run(tmp_path):
    page = write_report(Lake(tmp_path / "nothing"), ReportFacts(), tmp_path / "index.html").read_text()
    check(page)
    for sentence in (
        "No video was ingested",
        "No player was evaluated",
        "The policy was not trained",
        "Reinforcement learning did not run",
        "was not checked against",
        "The data set for supervised fine-tuning was not written",
    ):
        assert sentence in page.split('id="absent"')[1], sentence


@pytest.mark.slow
def test_reinforcement_learning_is_shown_if_it_ran(world, tmp_path):
    rounds = [{"step": n, "reward": 0.2 * n, "accuracy": 0.1 * n, "kl": None} for n in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rounds))
    (tmp_path / "summary.json").write_text(json.dumps({"rounds": 3, "last_reward": 0.6}))
    page = write_report(
        world.lake, dataclasses.replace(facts(world), rl_folder=tmp_path), tmp_path / "index.html"
    ).read_text()
    check(page)
    section = page.split('id="reinforcement"')[1].split("</section>")[0]
    assert "<svg" in section and "reward from 0.2 to 0.6" in section
    assert "Reinforcement learning did not run" not in page


def test_text_from_data_cannot_break_the_page(world, tmp_path):
    nasty = "<script>alert(1)</script>&\"'"
    lake = Lake(tmp_path / "lake")
    lake.write("videos", [row | {"reason": nasty, "detail": nasty} for row in world.lake.read("videos").to_dicts()])
    lake.write(
        "funnel",
        [
            row | {"reason": nasty if row["reason"] == "wrong_answer" else row["reason"]}
            for row in world.lake.read("funnel").to_dicts()
        ],
    )
    lake.write(
        "evaluations",
        [row | {"player": nasty} for row in world.lake.read("evaluations").to_dicts() if row["player"] == "policy"],
    )
    lake.write("questions", [row | {"topic": nasty} for row in world.lake.read("questions").to_dicts()])
    lake.write("question_stats", world.lake.read("question_stats"))
    page = write_report(lake, dataclasses.replace(facts(world), recipe_name=nasty), tmp_path / "index.html").read_text()
    check(page)
    assert "&lt;script&gt;alert(1)" in page


def test_the_balance_is_shown_with_its_warnings(world, tmp_path):
    lake = Lake(tmp_path / "lake")
    for table in ("balance", "shifts", "verdicts"):
        lake.write(table, world.lake.read(table))
    page = write_report(lake, ReportFacts(), tmp_path / "index.html").read_text()
    section = page.split('id="balance"')[1].split("</section>")[0]
    assert "Training questions" in section and "pass rate of the question" in section
    assert "No rule shifts the data" in section and "Chance gives A " in section
    shifts = world.lake.read("shifts").to_dicts()
    shifts[0]["warning"] = "too many <b>B</b>"
    lake.write("shifts", shifts)
    page = write_report(lake, ReportFacts(), tmp_path / "index.html").read_text()
    check(page)
    assert "<li>too many &lt;b&gt;B&lt;/b&gt;</li>" in page


def test_a_broken_training_file_is_named(world, tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    with pytest.raises(FactsError, match=r"metrics\.jsonl has a line"):
        write_report(Lake(tmp_path), ReportFacts(training_folder=tmp_path), tmp_path / "index.html")


def test_funnel_steps_fall_from_asked_to_kept():
    rows = [
        {"stage": s, "reason": r, "rows": n}
        for s, r, n in (
            ("asked", "", 10),
            ("failed", "timeout", 1),
            ("rejected", "a", 2),
            ("rejected", "b", 3),
            ("kept", "", 4),
        )
    ]
    steps, adds_up = funnel_steps(rows)
    assert adds_up
    assert [(s["label"], s["from"], s["to"]) for s in steps] == [
        ("asked", 0, 10),
        ("timeout", 9, 10),
        ("b", 6, 9),
        ("a", 4, 6),
        ("kept", 0, 4),
    ]
    steps, adds_up = funnel_steps([*rows, {"stage": "rejected", "reason": "c", "rows": 5}])
    assert not adds_up and [s["to"] - s["from"] for s in steps] == [10, 1, 5, 3, 2, 4]
