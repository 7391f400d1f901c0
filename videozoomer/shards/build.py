"""Selects the rows of SFT, RL and evaluation data sets from the lake and writes them with their frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from videozoomer.lake.lake import Lake
from videozoomer.protocol.protocol import VERSION
from videozoomer.reviews.counting import summary
from videozoomer.settings.model import Recipe, ShardSettings
from videozoomer.shards.frames import stream_frames
from videozoomer.shards.manifest import Manifest, ShardError
from videozoomer.shards.schema import places_of
from videozoomer.shards.shuffle import shuffled_conversations, shuffled_questions
from videozoomer.shards.split import validation_videos
from videozoomer.shards.write import write_dataset

COUNTED = {"sft": ["exemplar", "reflection"], "rl": ["question"], "evaluation": ["evaluation"]}
"""Kind of data set -> kinds of its items in tables `balance` and `shifts`."""
LARGEST_REASONS = 3
"""Reasons that the warning about an empty data set names."""


def about_recipe(recipe: Recipe) -> dict:
    """What every data set records of the run that made it."""
    return {
        "recipe": recipe.name,
        "recipe_digest": recipe.digest(),
        "protocol": recipe.protocol.to_protocol().to_dict(),
        "protocol_version": VERSION,
        "prompt_version": recipe.protocol.prompts,
    }


def write_shards(kind: str, lake: Lake, target: Path, recipe: Recipe) -> Manifest:
    """Build the data set of one kind.

    Raises:
        ShardError: a training row's video or question is in an evaluation set, or a frame is missing.
    """
    build = {"sft": build_sft, "rl": build_rl, "evaluation": build_evaluation}[kind]
    about = about_recipe(recipe) | balance_of(lake, kind, recipe.shards)
    reviews = summary(lake)
    return build(lake, target, recipe.shards, about | ({"reviews": reviews} if reviews else {}))


def balance_of(lake: Lake, kind: str, settings: ShardSettings) -> dict:
    """What the items of a data set are made of after the rules, and the warnings about it; empty if not counted yet.

    Where the options are shuffled, the letters are left out: those of the rows as written stand beside it.
    """
    mine = (pl.col("kind").is_in(COUNTED[kind])) & pl.col("rule").is_in(["all rules", "chance"])
    if kind in settings.shuffle_options:
        mine &= pl.col("trait") != "letter"
    counts = lake.read("balance").filter(mine, pl.col("rule") == "all rules", pl.col("trait") != "film")
    if not counts.height:
        return {}
    shifts = lake.read("shifts").filter(mine).sort("kind", "place", "trait")
    return {
        "balance": counts.select("kind", "trait", "value", "before", "after").to_dicts(),
        "balance_warnings": shifts["warning"].drop_nulls().to_list(),
    }


def build_sft(
    lake: Lake,
    target: Path,
    settings: ShardSettings,
    about: dict,
    *,
    verdicts: pl.DataFrame | None = None,
    kinds: Sequence[str] = ("exemplar", "reflection"),
) -> Manifest:
    """Kept trajectories of the given kinds, with their messages exactly as they were played.

    `verdicts` are rows of table `verdicts`; by default those in the lake.

    Raises:
        ShardError: a row's video or question is in an evaluation set, or a frame is missing.
    """
    judged = lake.scan("verdicts") if verdicts is None else verdicts.lazy()
    judged = judged.filter(pl.col("kind").is_in(list(kinds)))
    kept = judged.filter(pl.col("outcome") == "kept").select("trajectory_id")
    rows = (
        lake.scan(
            "trajectories",
            columns=[
                "trajectory_id",
                "question_id",
                "video_id",
                "kind",
                "player",
                "served_models",
                "messages",
                "zooms",
                "answer",
            ],
        )
        .join(kept, on="trajectory_id", how="semi")
        .rename({"trajectory_id": "id"})
        .collect()
    )
    about, lost = about | {"players": _players(rows), "served": _served(rows)}, _first_reasons(judged.collect())
    if "sft" in settings.shuffle_options:
        questions = lake.read("questions", columns=["question_id", "question", "options", "answer", "answer_type"])
        shuffled = shuffled_conversations(rows, questions, settings.shuffle_seed)
        rows, about = shuffled.rows, about | shuffled.about
    return _write(
        lake, "sft", target, _with_split(rows.drop("player", "served_models"), settings), settings, about, lost
    )


def _players(rows: pl.DataFrame) -> list[dict]:
    """Rows of each player and kind, and the player's share of that kind."""
    counted = rows.group_by("kind", "player").len("rows").sort("kind", "player")
    return counted.with_columns(share=(pl.col("rows") / pl.col("rows").sum().over("kind")).round(4)).to_dicts()


def _served(rows: pl.DataFrame) -> list[dict]:
    """Rows of each player by the model that its replies name; a row whose replies name two counts for both."""
    named = rows.explode("served_models").with_columns(pl.col("served_models").fill_null("not named").alias("model"))
    return named.group_by("player", "model").len("rows").sort("player", "model").to_dicts()


def build_rl(lake: Lake, target: Path, settings: ShardSettings, about: dict) -> Manifest:
    """Training questions that no rule rejects, with the teacher's pass rate. Where no evidence is given, the segments
    that sufficed to answer stand for it, if probes found any.

    Raises:
        ShardError: a question or its video is in an evaluation set, or a frame is missing.
    """
    wanted = ["question_id", "pass_rate", "valid", "correct", "found_evidence", "reasons"]
    stats = lake.read("question_stats", columns=wanted)
    asked, left_out = _questions(lake, "train")
    rows = asked.join(stats, on="question_id", how="inner")
    rejected = rows.filter(pl.col("reasons").list.len() > 0)
    lost = left_out | {"never played": asked.height - rows.height} | _first_reasons(rejected)
    left_out |= {"rejected by a rule": rejected.height, "never played": asked.height - rows.height}
    rows = _with_found_evidence(rows.filter(pl.col("reasons").list.len() == 0).drop("reasons"))
    rows, about = _shuffled("rl", rows, settings, about)
    return _write(lake, "rl", target, _with_split(rows, settings), settings, about | {"left_out": left_out}, lost)


def _with_found_evidence(rows: pl.DataFrame) -> pl.DataFrame:
    """Given evidence stays; without any, the column `found_evidence` takes its place."""
    given, found = pl.col("evidence").list.len() > 0, pl.col("found_evidence").list.len() > 0
    source = pl.when(given).then(pl.lit("given")).when(found).then(pl.lit("probe"))
    evidence = pl.when(~given & found).then(pl.col("found_evidence")).otherwise(pl.col("evidence"))
    return rows.with_columns(evidence=evidence, evidence_source=source).drop("found_evidence")


def build_evaluation(lake: Lake, target: Path, settings: ShardSettings, about: dict) -> Manifest:
    """Every evaluation question whose video can be read; no rule rejects any.

    Raises:
        ShardError: a frame of an overview is missing.
    """
    rows, left_out = _questions(lake, "evaluation")
    rows = rows.with_columns(split=pl.lit("evaluation"))
    rows, about = _shuffled("evaluation", rows, settings, about)
    return _write(lake, "evaluation", target, rows, settings, about | {"left_out": left_out}, left_out)


def _shuffled(kind: str, rows: pl.DataFrame, settings: ShardSettings, about: dict) -> tuple[pl.DataFrame, dict]:
    """Questions with their options in the new order, where the recipe asks for it, and what that did."""
    if kind not in settings.shuffle_options:
        return rows, about
    shuffled = shuffled_questions(rows, settings.shuffle_seed)
    return shuffled.rows, about | shuffled.about


def _questions(lake: Lake, split: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Questions of a split with their video and its overview, and how many were left out, by reason."""
    asked = lake.scan("questions").filter(pl.col("split") == split).collect()
    usable = asked.filter(pl.col("status") == "ok").drop("status", "reason", "split", "source")
    videos = (
        lake.scan("videos", columns=["uri", "video_id", "batch", "duration_s", "status"])
        .filter(pl.col("status") == "ok")
        .drop("status")
        .rename({"uri": "video_uri"})
        .collect()
        # A file that two sources name has a row in a batch of each.
        .sort("batch")
        .unique("video_uri", keep="first", maintain_order=True)
    )
    overviews = (
        lake.read("overviews", columns=["video_id", "index", "time_s", "frame_id"])
        .unique(["video_id", "index"], keep="first", maintain_order=True)
        .sort("video_id", "index")
        .group_by("video_id", maintain_order=True)
        .agg(overview_frame_ids=pl.col("frame_id"), overview_times_s=pl.col("time_s"))
    )
    bad_spans = (
        lake.read("bad_spans", columns=["video_id", "index", "start_s", "end_s"])
        .unique(["video_id", "index"], keep="first", maintain_order=True)
        .sort("video_id", "index")
        .group_by("video_id", maintain_order=True)
        .agg(bad_spans=pl.struct("start_s", "end_s"))
    )
    rows = usable.join(videos, on="video_uri", how="inner").join(overviews, on="video_id", how="inner")
    rows = rows.join(bad_spans, on="video_id", how="left")
    left_out = {"quarantined": asked.height - usable.height, "video cannot be read": usable.height - rows.height}
    return rows, left_out


def _with_split(rows: pl.DataFrame, settings: ShardSettings) -> pl.DataFrame:
    held_out = validation_videos(rows["video_id"], settings.validation_share)
    return rows.with_columns(
        split=pl.when(pl.col("video_id").is_in(sorted(held_out))).then(pl.lit("validation")).otherwise(pl.lit("train"))
    )


def _write(
    lake: Lake,
    kind: str,
    target: Path,
    rows: pl.DataFrame,
    settings: ShardSettings,
    about: dict,
    lost: Mapping[str, int],
) -> Manifest:
    """`lost`: reasons why items are not among the rows, with their numbers."""
    if kind != "evaluation":
        refuse_leaks(lake, kind, rows)
        about = about | {"funnel": lake.read("funnel").sort("stage", "kind", "reason").to_dicts()}
    if not rows.height:
        about = about | {"empty": why_empty(kind, lost)}
    places = places_of(kind, rows.iter_rows(named=True))
    return write_dataset(kind, target, rows, stream_frames(lake, places), about=about, max_rows=settings.max_rows)


def why_empty(kind: str, lost: Mapping[str, int]) -> str:
    """A sentence with the most frequent reasons why nothing is left, for the card and the log."""
    what = {"sft": "no trajectory was kept", "rl": "no training question was kept"}.get(kind, "no question is usable")
    largest = sorted(((rows, reason) for reason, rows in lost.items() if rows), key=lambda one: (-one[0], one[1]))
    named = ", ".join(f"{reason} ({rows:,})" for rows, reason in largest[:LARGEST_REASONS])
    return f"{what}; the largest reasons: {named}" if named else f"{what}, because there was none to choose from"


def _first_reasons(items: pl.DataFrame) -> dict[str, int]:
    """How many items were lost to which rule or error, each counted under its first reason."""
    return dict(
        items.select(pl.col("reasons").list.first().alias("reason")).drop_nulls().group_by("reason").len().iter_rows()
    )


def refuse_leaks(lake: Lake, kind: str, rows: pl.DataFrame) -> None:
    """The last check before writing: no training row may use a video or a question of an evaluation set.

    Raises:
        ShardError: a row does, or its question does not belong to the train split.
    """
    questions = lake.read("questions", columns=["question_id", "video_uri", "split"])
    uris = questions.filter(pl.col("split") == "evaluation")
    videos = lake.read("videos", columns=["uri", "video_id"])
    tested = set(videos.filter(pl.col("uri").is_in(uris["video_uri"].to_list()))["video_id"]) - {None}
    leaks = lake.read("leaks", columns=["kind", "train_id"])
    leaked_videos = tested | set(leaks.filter(pl.col("kind") != "question_text")["train_id"])
    leaked_questions = set(uris["question_id"]) | set(leaks.filter(pl.col("kind") == "question_text")["train_id"])
    for column, forbidden in (("video_id", leaked_videos), ("question_id", leaked_questions)):
        if hits := sorted(set(rows[column]) & forbidden):
            raise ShardError(
                f"{len(hits)} {column}s of the {kind} rows are in an evaluation set (such as {hits[0]}); "
                "run the contamination rules again, or remove them from the evaluation sources"
            )
