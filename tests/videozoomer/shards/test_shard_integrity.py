"""A data set that is not what its manifest says is refused by all that read it; an empty one says why."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from builders import frame_row, refs_of

from videozoomer.lake.lake import Lake
from videozoomer.settings.model import ShardSettings
from videozoomer.shards.build import build_evaluation, build_rl, build_sft
from videozoomer.shards.export import export
from videozoomer.shards.manifest import FILE, ShardError, sha256_of
from videozoomer.shards.read import ShardSet
from videozoomer.shards.write import write_dataset

pytestmark = pytest.mark.slow

SETTINGS = ShardSettings(max_rows=3, validation_share=0.25)


@pytest.fixture
def built(lake, tmp_path) -> Path:
    build_sft(lake, tmp_path / "sft", SETTINGS, {})
    build_rl(lake, tmp_path / "rl", SETTINGS, {})
    return tmp_path / "sft"


def edited(folder: Path, change) -> None:
    path = folder / FILE
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def refitted(folder: Path, name: str, change) -> None:
    """Change a file and its entry in the manifest, as someone does who knows how the checksums work."""
    path = folder / name
    change(pl.read_parquet(path)).write_parquet(path)

    def refit(manifest):
        (entry,) = (file for file in manifest["files"] if file["name"] == name)
        entry |= {"bytes": path.stat().st_size, "sha256": sha256_of(path)}

    edited(folder, refit)


def first(manifest: dict, role: str) -> dict:
    return next(file for file in manifest["files"] if file["role"] == role)


def swap(name: str, value):
    return lambda manifest: manifest.update({name: value})


EDITS = {
    "rows": lambda manifest: manifest["counts"].update(rows=80),
    "videos": lambda manifest: manifest["counts"].update(videos=1),
    "frames": lambda manifest: manifest["counts"].update(frames=2),
    "a split": lambda manifest: manifest["counts"].update({"split:train": 1}),
    "a kind of trajectory": lambda manifest: manifest["counts"].update({"kind:reflection": 8}),
    "a count is gone": lambda manifest: manifest["counts"].pop("frames"),
    "kind rl": swap("kind", "rl"),
    "kind evaluation": swap("kind", "evaluation"),
    "a file's rows": lambda manifest: first(manifest, "rows").update(rows=1),
    "a file's size": lambda manifest: first(manifest, "rows").update(bytes=1),
    "a file's split": lambda manifest: first(manifest, "rows").update(split="validation"),
    "columns": lambda manifest: manifest["columns"].pop("zooms"),
    "a file left out": lambda manifest: manifest["files"].remove(first(manifest, "rows")),
    "frames left out": lambda manifest: manifest["files"].remove(first(manifest, "frames")),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_changed_manifest_is_refused(built, name):
    edited(built, EDITS[name])
    with pytest.raises(ShardError, match=r"build|does not list"):
        ShardSet(built).verify()


def test_a_file_that_is_listed_twice_is_refused_before_its_rows_are_read_twice(built):
    edited(built, lambda manifest: manifest["files"].append(first(manifest, "rows")))
    with pytest.raises(ShardError, match="listed twice"):
        ShardSet(built)


@pytest.mark.parametrize("kind", ["sft", "evaluation"])
def test_rl_rows_cannot_pass_as_another_kind(built, kind):
    edited(built.parent / "rl", swap("kind", kind))
    with pytest.raises(ShardError, match="kind"):
        ShardSet(built.parent / "rl").verify()


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.head(0),
        lambda rows: rows.with_columns(split=pl.lit("validation")),
        lambda rows: rows.drop("answer"),
        lambda rows: rows.with_columns(messages=pl.col("messages").list.head(1)),
    ],
)
def test_changed_rows_with_a_fitting_checksum_are_refused(built, change):
    refitted(built, "data-train-00000.parquet", change)
    with pytest.raises(ShardError, match=FILE):
        ShardSet(built).verify()


NAMES = [
    "../outside.parquet", "/etc/passwd", "/tmp/outside.parquet", "..", ".", "", "sub/data.parquet", "data",
    "..\\outside.parquet",
    "C:\\x.parquet", "data.parquet\0", "data.parquet\n", ".hidden.parquet", "https://x/y.parquet", "～.parquet",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("role", ["rows", "frames"])
def test_a_file_name_that_may_lead_out_of_the_folder_is_refused_before_anything_is_read(built, name, role):
    shutil.copy(built / "data-train-00000.parquet", built.parent / "outside.parquet")
    edited(built, lambda manifest: first(manifest, role).update(name=name))
    with pytest.raises(ShardError, match="plain name"):
        ShardSet(built)


@pytest.mark.parametrize("role", ["rows", "frames"])
def test_a_link_out_of_the_folder_is_refused_even_if_its_bytes_fit(built, role):
    shards = ShardSet(built)
    path = built / shards.manifest.of_role(role)[0].name
    path.rename(built.parent / "outside.parquet")
    path.symlink_to(built.parent / "outside.parquet")
    with pytest.raises(ShardError, match="leads out"):
        ShardSet(built).verify()
    with pytest.raises(ShardError, match="leads out"):
        shards.table() if role == "rows" else shards.jpeg("any")


def test_a_linked_folder_may_be_read(built):
    (built.parent / "link").symlink_to(built)
    ShardSet(built.parent / "link").verify()


@pytest.mark.parametrize(
    "name", ["sub/data-train-00000.parquet", "sub/deep/x.jsonl", "data-train-00009.parquet", "a.csv"]
)
def test_a_file_that_the_manifest_does_not_list_is_refused(built, name):
    path = built / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    with pytest.raises(ShardError, match=name):
        ShardSet(built).verify()


def test_texts_and_hidden_files_beside_the_data_are_no_harm(built):
    for name in ("LICENSE", "notes.md", ".gitattributes", ".cache/huggingface/x.lock"):
        (built / name).parent.mkdir(parents=True, exist_ok=True)
        (built / name).write_text("x")
    ShardSet(built).verify()


def test_an_export_of_a_changed_data_set_is_refused(built, tmp_path):
    edited(built, EDITS["rows"])
    with pytest.raises(ShardError, match=FILE):
        export(ShardSet(built), "ms_swift", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def shared_jpeg(lake: Lake, batches: tuple[str, str]) -> None:
    """One black frame, seen at 2 s of video0 and at 3 s and 5 s of video3; each film's batch stores it."""
    black = frame_row("x", 0.0, "black")
    trajectories = lake.read("trajectories").to_dicts()
    for row in trajectories:
        for message in row["messages"]:
            shown = [part for part in message["parts"] if part["type"] == "image"]
            if row["video_id"] in ("video0", "video3") and len(shown) == 4:
                at = (2,) if row["video_id"] == "video0" else (1, 3)
                for index in at:
                    time_s = {1: 3.0, 2: 2.0, 3: 5.0}[index]
                    shown[index] |= {"frame_id": black["frame_id"], "time_s": time_s}
    lake.write("trajectories", trajectories, "s-0000")
    frames = lake.read("frames").filter(pl.col("frame_id") != black["frame_id"]).unique("frame_id").to_dicts()
    for name in lake.partitions("frames"):
        lake.write("frames", [], name)
    late = {"video_id": "video3", "time_s": 3.0}
    early = {"video_id": "video0", "time_s": 2.0}
    lake.write("frames", [row for row in frames if row["video_id"] < "video2"] + [black | early], batches[0])
    lake.write("frames", [row for row in frames if row["video_id"] >= "video2"] + [black | late], batches[1])


@pytest.mark.parametrize("build", [build_sft, build_rl])
def test_a_jpeg_of_two_films_keeps_both_and_names_of_batches_change_nothing(lake, tmp_path, build):
    shared_jpeg(lake, ("a-0000", "b-0000"))
    one = build(lake, tmp_path / "one", SETTINGS, {})
    shared_jpeg(lake, ("z-0000", "b-0000"))
    other = build(lake, tmp_path / "other", SETTINGS, {})
    assert one.content_hash == other.content_hash
    if build is build_sft:
        frames = pl.concat([pl.read_parquet(path) for path in sorted((tmp_path / "one").glob("frames-*"))])
        places = [
            {"video_id": "video0", "time_s": 2.0}, {"video_id": "video3", "time_s": 3.0},
            {"video_id": "video3", "time_s": 5.0},
        ]  # fmt: skip
        (shared,) = frames.filter(pl.col("places").list.len() > 1).to_dicts()
        assert shared["frame_id"] == frame_row("x", 0.0, "black")["frame_id"] and shared["places"] == places
        assert (shared["video_id"], shared["time_s"]) == ("video0", 2.0)
        assert frames.sort("video_id", "time_s", "frame_id").equals(frames)


def test_the_rows_decide_where_a_frame_is_seen(lake, tmp_path):
    rows = lake.read("trajectories").head(1)
    (row,) = rows.select(
        pl.col("trajectory_id").alias("id"), "question_id", "video_id", "kind", "messages", "zooms", "answer",
        pl.lit("train").alias("split"),
    ).to_dicts()  # fmt: skip
    own = lake.read("frames").filter(pl.col("video_id") == row["video_id"]).unique("frame_id").to_dicts()
    shown = {part["frame_id"] for message in row["messages"] for part in message["parts"] if part["frame_id"]}
    frames = [frame | {"video_id": "elsewhere", "time_s": 99.0} for frame in own if frame["frame_id"] in shown]
    write_dataset("sft", tmp_path / "one", [row], frames, about={}, max_rows=10)
    stored = pl.read_parquet(tmp_path / "one" / "frames-00000.parquet")
    assert set(stored["video_id"]) == {row["video_id"]}
    assert set(stored["time_s"]) == {ref.time_s for ref in refs_of(own) if ref.frame_id in shown}


def test_an_empty_data_set_says_why(lake, tmp_path):
    reasons = ["wrong_answer"] * 3 + ["bad_format"] * 2 + ["guessed", "no_answer"]
    verdicts = lake.read("verdicts").filter(pl.col("kind") == "exemplar").head(7)
    verdicts = verdicts.with_columns(
        outcome=pl.lit("rejected"), reasons=pl.Series([[reason, "later"] for reason in reasons])
    )
    lake.write("verdicts", verdicts)
    manifest = build_sft(lake, tmp_path / "sft", SETTINGS, {})
    said = "no trajectory was kept; the largest reasons: wrong_answer (3), bad_format (2), guessed (1)"
    assert manifest.rows == 0 and manifest.about["empty"] == said
    assert f"**This data set is empty: {said}.**" in (tmp_path / "sft" / "README.md").read_text()
    ShardSet(tmp_path / "sft").verify()
    stats = lake.read("question_stats").with_columns(reasons=pl.lit(["leaked_video"]))
    lake.write("question_stats", stats)
    assert build_rl(lake, tmp_path / "rl", SETTINGS, {}).about["empty"] == (
        "no training question was kept; the largest reasons: leaked_video (8)"
    )
    lake.write("questions", lake.read("questions").with_columns(status=pl.lit("quarantined")))
    assert build_evaluation(lake, tmp_path / "evaluation", SETTINGS, {}).about["empty"] == (
        "no question is usable; the largest reasons: quarantined (2)"
    )


def test_a_data_set_with_rows_has_no_such_warning(built):
    assert "empty" not in ShardSet(built).manifest.about


def test_a_video_that_two_sources_name_gives_each_question_once(lake, tmp_path):
    again = lake.read("videos").with_columns(batch=pl.lit("t-0000"), source=pl.lit("t"))
    before = build_rl(lake, tmp_path / "before", SETTINGS, {})
    lake.write("videos", again, "t-0000")
    after = build_rl(lake, tmp_path / "after", SETTINGS, {})
    assert after.content_hash == before.content_hash
