import io

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lake_fixture import write_lake
from rich.console import Console

from eval.viewer.text import render


def shown(*rows, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(render(*rows))
    return console.file.getvalue()


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    return write_lake(tmp_path_factory.mktemp("world"), width=64).lake


def rows_of(lake, **wanted) -> tuple[dict, dict, dict | None, dict | None]:
    row = (
        lake.read("trajectories").filter(*(pl.col(name) == value for name, value in wanted.items())).row(0, named=True)
    )
    found = [
        lake.read(table).filter(pl.col(key) == row[key]).to_dicts()
        for table, key in (("questions", "question_id"), ("grades", "trajectory_id"), ("verdicts", "trajectory_id"))
    ]
    return (row, *((rows[0] if rows else None) for rows in found))


def test_a_reflection_shows_every_thought_and_every_frame(lake):
    row, question, grade, verdict = rows_of(lake, kind="reflection", zooms=2)
    text = shown(row, question, grade, verdict)
    for part in (
        question["question"],
        row["trajectory_id"],
        grade["verdict"],
        verdict["outcome"],
        "not trained on",
        "zoom 1",
        "zoom 2",
        "evidence",
    ):
        assert part in text
    for turn in row["turns"]:
        for time_s in turn["frame_times_s"]:
            assert f"{time_s:.2f}" in text
    assert text.count("→") == len(row["turns"])


def test_a_hit_is_below_its_evidence_on_the_time_line(lake):
    hits = dict(lake.read("grades").select("trajectory_id", "hit").drop_nulls().iter_rows())
    rows = lake.read("trajectories").filter(
        (pl.col("kind") == "exemplar") & (pl.col("zooms") == 1) & pl.col("trajectory_id").is_in(list(hits))
    )
    seen = set()
    for identifier in rows["trajectory_id"]:
        lines = shown(*rows_of(lake, trajectory_id=identifier)).splitlines()
        evidence, zoom = (next(line for line in lines if line.startswith(name)) for name in ("evidence ", "zoom 1 "))
        meets = zoom.index("#") <= evidence.rindex("=") and evidence.index("=") <= zoom.rindex("#")
        assert meets == hits[identifier]
        seen.add(meets)
    assert seen == {True, False}


def test_missing_rows_are_named(lake):
    row, *_ = rows_of(lake, status="failed")
    text = shown(row, None, None, None)
    assert "not in table questions" in text and "not graded" in text and "could not be finished: timeout" in text


def everywhere(rows, text: str) -> tuple[dict, dict, dict, dict]:
    """The same rows with `text` in every column that a model or a data set writes."""
    row, question, grade, verdict = rows
    turns = [
        turn | {"reply": f"<think>{text}</think>", "author": text, "answer": text, "fault": text, "fault_text": text}
        for turn in row["turns"]
    ]
    return (
        row | {"player": text, "answer": text, "failure": text, "parent_id": text, "turns": turns},
        question | {"question": text, "options": [text, text], "answer": text, "video_uri": text},
        grade | {"detail": text},
        verdict | {"reasons": [text]},
    )


@pytest.mark.slow
@pytest.mark.parametrize("wanted", [{"kind": "reflection", "zooms": 2}, {"status": "failed"}])
@given(text=st.text(min_size=1))
@example("B [/INST]")
@example("[bold]red[/bold] [/nothing] [link=x]")
@example("\\[/")
@example("\x1b[2J\x9b0m\x07")
def test_no_text_is_read_as_markup_or_controls_the_terminal(lake, wanted, text):
    found = shown(*everywhere(rows_of(lake, **wanted), text), width=10_000)
    assert not set(found) & {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160))}
    if text.isprintable() and text.isascii() and text == text.strip():
        expected = 6 + (2 if wanted.get("kind") else 0)
        assert found.count(text) >= expected, "question, both options, right answer, answer, detail and every turn"


def test_fixture_has_every_kind_of_turn(lake):
    """Without faults, masked turns and failures the tests above would prove little."""
    actions = set(lake.read("trajectories")["turns"].explode().struct.field("action").drop_nulls())
    assert actions == {"zoom", "answer", "fault"}


def test_a_turn_that_was_not_to_the_letter_shows_what_was_written(lake):
    row, *others = rows_of(lake, kind="exemplar", zooms=1)
    loose = "<think>closer</think><tool_call>as it came</tool_call>"
    assert "not to the letter" not in shown(row, *others)
    text = shown(row | {"as_written": [loose, *[""] * (len(row["turns"]) - 1)]}, *others)
    assert "not to the letter" in text and "written as <tool_call>as it came</tool_call>" in text
