"""`evidence_probes`: whether the zoomed frames carry the answer of each trajectory that the other rules keep.

In the graph only where the recipe has `filters.evidence`. It comes after a first filter, so that money is spent only on
what would be kept, and before `verdicts`, whose rules read its table.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from assets.distillation import GROUP
from assets.grading import judged_by_recipe
from assets.playing import play_stage, stage_partition
from assets.workspace import BATCHES, Workspace, partition_of, step
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import GradeRow, QuestionRow, TrajectoryRow
from videozoomer.protocol.evidence import windows_of
from videozoomer.protocol.question import QuestionItem
from videozoomer.settings.evidence import EvidenceSettings

if TYPE_CHECKING:
    from distill.evidence import Subject
    from distill.probing import Verdict
    from distill.rollouts import EpisodeRunner

STAGE = "evidence_probes"
PROBED = ("exemplars", "reflections")
"""Stages whose trajectories are probed."""
EXPECTED = 4
"""Answers a probe, for the progress bar."""


@dg.asset(
    group_name=GROUP,
    partitions_def=BATCHES,
    code_version="1",
    kinds={"openai", "parquet"},
    deps=["probe_grades", "exemplar_grades", "reflection_grades", "leaks", "questions", "videos", "overviews"],
    description="Probes of every trajectory that the other rules keep: from its zoomed frames alone, with its options "
    "in other places, with frames from elsewhere, without one of its zooms. Each is asked until a test decides.",
)
@step
def evidence_probes(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    recipe, batch = workspace.recipe, partition_of(context)
    settings = recipe.filters.evidence
    if settings is None:
        raise dg.Failure(f"recipe {recipe.name} probes no evidence; set filters.evidence to {{}}")
    asked, kept = first_filter(workspace, batch)
    endpoint = settings.endpoint or recipe.teacher

    def play(items: Sequence[QuestionItem], runner: "EpisodeRunner") -> list[TrajectoryRow]:
        return _play(workspace, batch, settings, items, runner, asked, kept, endpoint.temperature)

    return play_stage(
        context,
        workspace,
        STAGE,
        play,
        endpoint=endpoint,
        split="train",
        episodes=lambda questions: EXPECTED * (len(asked) * settings.blind + len(kept) * len(settings.probes)),
        frames_from=[*PROBED, "student_rollouts", STAGE],
        also_written=("grades", "evidence"),
    )


def first_filter(workspace: Workspace, batch: str) -> tuple[list[str], list[str]]:
    """Ids of the batch's questions, and of its trajectories, that all rules keep which need no probe of evidence.

    Looks at the batch alone, so its result changes only with the batch. Rules that choose among survivors come later:
    they choose among what has passed the probes.
    """
    from filters.rules import load_rules, run_rules

    lake, chosen = workspace.lake, workspace.recipe.filters
    blind = chosen.evidence is not None and chosen.evidence.blind
    waits = {"answerable_without_video"} if blind else set()
    rules = [rule for rule in load_rules() if rule.level != "selection" and rule.name not in waits]
    names = {rule.name for rule in rules}
    played = [stage_partition(stage, batch) for stage in ("probes", *PROBED)]
    tables = {name: lake.read(name, [batch]) for name in ("questions", "videos", "overviews")}
    tables |= {name: lake.read(name, played) for name in ("trajectories", "grades")}
    tables["evidence"] = lake.read("evidence", [])
    named = {
        field: tuple(n for n in getattr(chosen, field) if n in names) for field in ("skip_rules", "review_overrides")
    }
    settings = chosen.model_copy(update=named)
    result = run_rules(lake, settings, rules, tables=tables)
    stats = result.question_stats.filter((pl.col("split") == "train") & (pl.col("reasons").list.len() == 0))
    kept = result.verdicts.filter(pl.col("outcome") == "kept")
    return stats["question_id"].to_list(), kept["trajectory_id"].to_list()


def _play(
    workspace: Workspace,
    batch: str,
    settings: EvidenceSettings,
    items: Sequence[QuestionItem],
    runner: "EpisodeRunner",
    asked: Sequence[str],
    kept: Sequence[str],
    temperature: float,
) -> list[TrajectoryRow]:
    """Ask the probes; write tables `grades` and `evidence`; return the rows of `trajectories`."""
    from distill.probing import Probing
    from filters.grading import grade_rows, with_moved_options

    lake, partition = workspace.lake, stage_partition(STAGE, batch)
    questions = {row["question_id"]: row for row in rows_as(QuestionRow, lake.read("questions", [batch]))}
    grades: list[GradeRow] = []

    def verdicts(rows: Sequence[TrajectoryRow], moved: Mapping[str, int]) -> list["Verdict"]:
        graded: list[GradeRow] = []
        for row in rows:
            question = with_moved_options(questions[row["question_id"]], moved[row["trajectory_id"]])
            # The probe chose what is shown, so there is no look to grade.
            graded += [{**one, "hit": None, "best_iou": None} for one in grade_rows([row], [question])]
        # A choice needs no judge; the others have no options to move.
        graded = judged_by_recipe(workspace, STAGE, batch, graded, rows, list(questions.values()))
        grades.extend(graded)
        found: dict[str, Verdict] = {row["trajectory_id"]: _verdict(row) for row in graded}
        return [found.get(row["trajectory_id"], "unknown") for row in rows]

    probing = Probing(runner, settings, temperature, verdicts)
    by_id = {item.question_id: item for item in items}
    left = {question_id for question_id in asked if question_id in by_id}
    if settings.blind:
        left = probing.blind(_questions(by_id, asked), _blind_so_far(workspace, batch))
    probing.trajectories(_subjects(workspace, batch, by_id, questions, left, kept))
    lake.write("grades", grades, partition)
    lake.write("evidence", [one.row() for one in probing.asked], partition)
    return probing.rows


def _questions(items: Mapping[str, QuestionItem], asked: Sequence[str]) -> list["Subject"]:
    from distill.evidence import Subject

    return [Subject("", items[question_id], ()) for question_id in asked if question_id in items]


def _subjects(
    workspace: Workspace,
    batch: str,
    items: Mapping[str, QuestionItem],
    questions: Mapping[str, QuestionRow],
    left: set[str],
    kept: Sequence[str],
) -> list["Subject"]:
    """The kept trajectories of the questions that are left."""
    from distill.evidence import subject_of

    partitions = [stage_partition(stage, batch) for stage in PROBED]
    columns = ["trajectory_id", "question_id", "turns"]
    rows = workspace.lake.read("trajectories", partitions, columns).sort("trajectory_id")
    wanted = set(kept)
    return [
        subject_of(row, items[row["question_id"]], windows_of(questions[row["question_id"]]["evidence"]))
        for row in rows.iter_rows(named=True)
        if row["trajectory_id"] in wanted and row["question_id"] in left
    ]


def _blind_so_far(workspace: Workspace, batch: str) -> dict[str, tuple[int, int, int]]:
    """Question -> blind probes that were asked, judged and right."""
    partition = stage_partition("probes", batch)
    columns = ["trajectory_id", "question_id", "frames_shown"]
    blind = workspace.lake.read("trajectories", [partition], columns).filter(pl.col("frames_shown") == 0)
    grades = workspace.lake.read("grades", [partition], ["trajectory_id", "verdict"])
    counted = (
        blind.join(grades, on="trajectory_id", how="left")
        .group_by("question_id")
        .agg(
            pl.len().alias("asked"),
            pl.col("verdict").is_in(["correct", "wrong"]).sum().alias("valid"),
            (pl.col("verdict") == "correct").sum().alias("correct"),
        )
    )
    return {name: (asked, valid, correct) for name, asked, valid, correct in counted.iter_rows()}


def _verdict(row: GradeRow) -> "Verdict":
    return "correct" if row["verdict"] == "correct" else "wrong" if row["verdict"] == "wrong" else "unknown"
