"""Data sets drawn from a lake: what goes in, what is refused, and that nothing changes on the way."""

import polars as pl
import pytest
from datasets import load_dataset
from hypothesis import given
from hypothesis import strategies as st

from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.settings.model import ShardSettings
from videozoomer.shards.build import build_evaluation, build_rl, build_sft
from videozoomer.shards.manifest import ShardError
from videozoomer.shards.read import ShardSet
from videozoomer.shards.schema import frame_ids
from videozoomer.shards.split import validation_videos

SETTINGS = ShardSettings(max_rows=3, validation_share=0.25)
ABOUT = {"recipe": "test", "protocol_version": "1"}


def test_sft_holds_kept_exemplars_as_played_with_each_frame_once(lake, tmp_path):
    build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    shards = ShardSet(tmp_path / "sft")
    shards.verify()
    rows = shards.rows()
    assert {row["id"] for row in rows} == {
        f"t-q{video}{index}-exemplar-kept" for video in range(4) for index in range(2)
    }
    played = {row["trajectory_id"]: row["messages"] for row in lake.read("trajectories").iter_rows(named=True)}
    assert all(row["messages"] == played[row["id"]] for row in rows)
    shown = [frame for row in rows for frame in frame_ids("sft", row)]
    assert shards.manifest.counts["frames"] == len(set(shown)) == 4 * 6
    assert all(frame_id_of(shards.jpeg(frame)) == frame for frame in shown)


def test_the_card_says_which_teacher_wrote_how_much(lake, tmp_path):
    played = lake.read("trajectories")
    shared = played.with_columns(
        player=pl.when(pl.col("question_id") == "q00").then(pl.lit("other|one")).otherwise(pl.col("player"))
    )
    lake.write("trajectories", shared, "s-0000")
    manifest = build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    assert manifest.about["players"] == [
        {"kind": "exemplar", "player": "other|one", "rows": 1, "share": 0.125},
        {"kind": "exemplar", "player": "p", "rows": 7, "share": 0.875},
    ]
    assert "| exemplar | other\\|one | 1 | 12.5% |" in (tmp_path / "sft" / "README.md").read_text()


def test_a_video_is_on_one_side_only(lake, tmp_path):
    build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    shards = ShardSet(tmp_path / "sft")
    train, validation = ({row["video_id"] for row in shards.rows(split)} for split in ("train", "validation"))
    assert train and validation and not train & validation


def test_same_rows_give_the_same_bytes(lake, tmp_path):
    first = build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    second = build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    assert first == second and len(first.files) > 3
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_rl_rows_are_the_questions_no_rule_drops(lake, tmp_path):
    manifest = build_rl(lake, tmp_path / "rl", SETTINGS, ABOUT)
    rows = ShardSet(tmp_path / "rl").rows()
    assert {row["question_id"] for row in rows} == {"q00", "q10", "q11", "q20", "q21", "q30", "q31"}
    assert manifest.about["left_out"]["dropped by a rule"] == 1
    assert all(row["pass_rate"] == 0.5 and len(row["overview_frame_ids"]) == 4 and row["evidence"] for row in rows)


def test_evaluation_counts_what_cannot_be_played(lake, tmp_path):
    videos = lake.read("videos").with_columns(
        status=pl.when(pl.col("video_id") == "video4").then(pl.lit("quarantined")).otherwise(pl.col("status"))
    )
    assert build_evaluation(lake, tmp_path / "before", SETTINGS, ABOUT).counts["rows"] == 2
    lake.write("videos", videos, "s-0000")
    manifest = build_evaluation(lake, tmp_path / "after", SETTINGS, ABOUT)
    assert manifest.counts["rows"] == 0 and manifest.about["left_out"]["video cannot be read"] == 2


@pytest.mark.parametrize(
    "leak",
    [
        {"kind": "video_signature", "train_id": "video1", "evaluation_id": "video4", "score": 1.0},
        {"kind": "question_text", "train_id": "q10", "evaluation_id": "q40", "score": 1.0},
    ],
)
def test_a_leak_is_refused_and_the_old_set_stays(lake, tmp_path, leak):
    before = build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    lake.write("leaks", [leak])
    with pytest.raises(ShardError, match=leak["train_id"]):
        build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    assert ShardSet(tmp_path / "sft").manifest == before


def test_a_training_video_in_the_evaluation_set_is_refused(lake, tmp_path):
    videos = lake.read("videos").with_columns(video_id=pl.col("video_id").replace("video4", "video1"))
    lake.write("videos", videos, "s-0000")
    with pytest.raises(ShardError, match="video1"):
        build_rl(lake, tmp_path / "rl", SETTINGS, ABOUT)


def test_a_missing_frame_is_refused(lake, tmp_path):
    lake.write("frames", lake.read("frames", ["s-0001"]).head(5), "s-0001")
    with pytest.raises(ShardError, match="not in table frames"):
        build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    assert not list(tmp_path.glob("*sft*"))


@pytest.mark.parametrize("role", ["rows", "frames"])
def test_verify_finds_a_flipped_byte(lake, tmp_path, role):
    manifest = build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    path = tmp_path / "sft" / manifest.of_role(role)[0].name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(ShardError, match=path.name):
        ShardSet(tmp_path / "sft").verify()


def test_datasets_reads_the_folder(lake, tmp_path):
    manifest = build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    rows = load_dataset(str(tmp_path / "sft"), cache_dir=str(tmp_path / "cache"))
    frames = load_dataset(str(tmp_path / "sft"), "frames", cache_dir=str(tmp_path / "cache"))["frames"]
    assert {split: part.num_rows for split, part in rows.items()} == {
        split: manifest.counts[f"split:{split}"] for split in ("train", "validation")
    }
    assert rows["train"][0]["messages"] == ShardSet(tmp_path / "sft").rows("train")[0]["messages"]
    assert frames.num_rows == manifest.counts["frames"]
    card = (tmp_path / "sft" / "README.md").read_text()
    assert "| rejected | exemplar | wrong | 8 |" in card


@given(
    st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=40),
    st.floats(0, 0.5),
    st.text(min_size=1, max_size=8),
)
def test_the_split_is_stable_as_videos_come(videos, share, another):
    before = validation_videos(videos, share)
    assert len(before) < len(videos) or not before
    assert before <= videos
    after = validation_videos(videos | {another}, share)
    if len(before) > 1 and len(videos) - len(before) > 1:
        assert before <= after
