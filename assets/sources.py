"""`sources` and `questions`: the files that the recipe names, listed and sorted into ingest batches."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import dagster as dg
import fsspec

from assets.reviewed import PAIRS, REVIEWED, reviewed
from assets.workspace import BATCHES, Workspace, content_of, finish, preview, step
from filters.question_leaks import files as leak_files
from videozoomer.lake.reading import rows_as
from videozoomer.lake.rows import FileRow, QuestionRow
from videozoomer.lake.stamps import Stamp
from videozoomer.places.state import identity
from videozoomer.places.uris import PlaceError
from videozoomer.reviews.correcting import corrected
from videozoomer.reviews.current import digest as digest_of_reviews
from videozoomer.settings import Recipe
from videozoomer.sources.archived_questions import has_films
from videozoomer.sources.files import Offered, SourceError, assign_batches
from videozoomer.sources.listing import list_source
from videozoomer.sources.questions import read_source
from videozoomer.sources.reading import question_files

GROUP = "sources"
UNMATCHED = "unmatched"
"""Partition of the table `questions` for rows that name no video of their source."""
EXAMPLES = 3
"""Unusable questions that an error shows."""


def listing_digest(recipe: Recipe) -> str:
    """Hash of what the sources offer now: names, sizes and change times of videos; opens no file.

    Raises:
        SourceError: a source has nothing to list.
    """
    return _listing({source.name: list_source(source).offered for source in recipe.sources})


def question_digest(recipe: Recipe) -> str:
    """Hash of the content of the question files, and of the files of answers.

    Raises:
        SourceError: a question file does not exist.
    """
    digest = hashlib.sha256()
    for source in recipe.sources:
        for place in [*question_files(source.questions), *([source.answers] if source.answers else [])]:
            digest.update(json.dumps([source.name, place, _content(place)]).encode())
    return digest.hexdigest()[:16]


def _content(place: str) -> str:
    """Hash of a question file; of one that also has the films, size and time, because hashing films takes long."""
    try:
        if has_films(place):
            return identity(place)
        with fsspec.open(place, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise SourceError(f"question file {place} does not exist") from error
    except PlaceError as error:
        raise SourceError(f"question file {error}") from error


def _listing(offered: Mapping[str, Sequence[Offered]]) -> str:
    listed = [(name, [(item.uri, item.bytes, item.modified) for item in items]) for name, items in offered.items()]
    return hashlib.sha256(json.dumps(listed).encode()).hexdigest()[:16]


def question_listing(workspace: Workspace) -> str:
    """Hash of the question files, and of the keys that people corrected, if there are any."""
    corrections = digest_of_reviews(workspace.lake, {"question": ("answer",)})
    return question_digest(workspace.recipe) + (f"-{corrections}" if corrections else "")


def leak_listing(workspace: Workspace) -> str:
    """Hash of the further evaluation sets, and of people's decisions on pairs, if there are any."""
    decisions = digest_of_reviews(workspace.lake, PAIRS)
    return leak_files.digest(workspace.recipe.filters.evaluation_questions) + (f"-{decisions}" if decisions else "")


LISTINGS: dict[str, Callable[[Workspace], str | None]] = {
    "sources": lambda workspace: listing_digest(workspace.recipe),
    "questions": question_listing,
    **{asset: partial(reviewed, asset=asset) for asset in REVIEWED},
    "leaks": leak_listing,
}
"""Assets made from files outside the home, or from reviews, and the hash of these; a stamp keeps it as the fact
`listing`."""


@dg.asset(
    group_name=GROUP,
    code_version="1",
    kinds={"parquet"},
    description="Every video file of the recipe's sources, with the ingest batch it belongs to for good. Files are "
    "listed, not opened. New files form new batches (dynamic partitions).",
)
@step
def sources(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    lake = workspace.lake
    known = rows_as(FileRow, lake.read("files"))
    offered = {source.name: list_source(source).offered for source in workspace.recipe.sources}
    rows: list[FileRow] = []
    for name, items in offered.items():
        rows += assign_batches(
            name,
            items,
            known,
            workspace.recipe.video.batch_size,
            lake.partitions("files"),
        )
    by_batch: dict[str, list[FileRow]] = {}
    for row in rows:
        by_batch.setdefault(row["batch"], []).append(row)
    for batch in sorted(set(lake.partitions("files")) | set(by_batch)):
        lake.write("files", by_batch.get(batch, []), batch)
        workspace.stamps.write("sources", Stamp("", content_of(workspace, [("files", batch)])), batch)
    context.instance.add_dynamic_partitions(str(BATCHES.name), sorted(by_batch))
    files = lake.read("files")
    return finish(
        context,
        workspace,
        content_of(workspace, [("files", batch) for batch in lake.partitions("files")]),
        facts={
            "listing": _listing(offered),
            "files": files.height,
            "batches": len(by_batch),
            "bytes": int(files["bytes"].sum()),
        },
        metadata={"preview": preview(files, ["uri", "source", "batch", "bytes"])},
    )


@dg.asset(
    group_name=GROUP,
    code_version="4",
    deps=[sources],
    kinds={"parquet"},
    description="Every question of the recipe's question files in one common form, with its split. Rows that cannot "
    "be used are kept with a reason (quarantined).",
)
@step
def questions(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult:
    lake = workspace.lake
    # Before reading: a file that changes meanwhile has another hash at the next run, which reads it again.
    listing = question_listing(workspace)
    files = lake.read("files")
    batch_of = dict(zip(files["uri"], files["batch"], strict=True))
    by_batch: dict[str, list[QuestionRow]] = {batch: [] for batch in [*lake.partitions("files"), UNMATCHED]}
    for source in workspace.recipe.sources:
        uris = files.filter(files["source"] == source.name)["uri"].to_list()
        for row in corrected(lake, read_source(source, uris).rows):
            by_batch[batch_of.get(row["video_uri"], UNMATCHED)].append(row)
    _require_usable(workspace.recipe, [row for rows in by_batch.values() for row in rows])
    for batch, rows in by_batch.items():
        lake.write("questions", rows, batch)
        workspace.stamps.write("questions", Stamp("", content_of(workspace, [("questions", batch)])), batch)
    table = lake.read("questions")
    facts = {
        "listing": listing,
        "questions": table.height,
        "train": table.filter(table["split"] == "train").height,
        "evaluation": table.filter(table["split"] == "evaluation").height,
        "quarantined": table.filter(table["status"] == "quarantined").height,
    }
    return finish(
        context,
        workspace,
        content_of(workspace, [("questions", batch) for batch in by_batch]),
        facts=facts,
        metadata={
            "preview": preview(
                table, ["question_id", "question", "options", "answer", "answer_type", "split", "status"]
            )
        },
    )


def _require_usable(recipe: Recipe, rows: Sequence[QuestionRow]) -> None:
    """Without a usable question nothing can be made.

    Raises:
        dagster.Failure: there is none; the message counts the reasons and shows the first rows.
    """
    if any(row["status"] == "ok" for row in rows):
        return
    places = ", ".join(str(source.questions) for source in recipe.sources)
    if not rows:
        raise dg.Failure(f"there is no question in {places}; a question file has one question a row")
    counts = Counter(row["reason"] for row in rows)
    reasons = ", ".join(f"{reason} ({count})" for reason, count in counts.most_common())
    shown = "".join(
        f"\n  {row['question_id']}: {row['reason']} (video {row['video_uri']!r}, question {row['question'][:80]!r}, "
        f"answer {row['answer'][:40]!r})"
        for row in rows[:EXAMPLES]
    )
    raise dg.Failure(f"none of the {len(rows)} questions in {places} can be used: {reasons}. The first:{shown}")


ASSETS = [sources, questions]
