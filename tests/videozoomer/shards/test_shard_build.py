"""Data sets built from a lake: which rows they get, what is refused, and that nothing changes on the way."""

from pathlib import Path

import polars as pl
import pytest
from builders import row
from datasets import load_dataset
from hypothesis import given
from hypothesis import strategies as st

from videozoomer.lake.catalog import WINDOW
from videozoomer.protocol.frame_id import frame_id_of
from videozoomer.protocol.question import PlayableQuestion
from videozoomer.settings import load_recipe
from videozoomer.settings.model import ProtocolSettings, ShardSettings
from videozoomer.shards.build import build_evaluation, build_rl, build_sft, write_shards
from videozoomer.shards.manifest import ShardError
from videozoomer.shards.read import ShardSet
from videozoomer.shards.schema import frame_ids
from videozoomer.shards.split import validation_videos

RECIPES = Path(__file__).resolve().parents[3] / "recipes"
SETTINGS = ShardSettings(max_rows=3, validation_share=0.25)
ABOUT = {"recipe": "test", "protocol_version": "1"}


def test_sft_has_kept_exemplars_as_played_and_each_frame_once(lake, tmp_path):
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


def test_the_card_counts_the_rows_of_each_teacher(lake, tmp_path):
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


def test_rl_rows_are_the_questions_that_no_rule_rejects(lake, tmp_path):
    manifest = build_rl(lake, tmp_path / "rl", SETTINGS, ABOUT)
    rows = ShardSet(tmp_path / "rl").rows()
    assert {row["question_id"] for row in rows} == {"q00", "q10", "q11", "q20", "q21", "q30", "q31"}
    assert manifest.about["left_out"]["rejected by a rule"] == 1
    assert all(row["pass_rate"] == 0.5 and len(row["overview_frame_ids"]) == 4 and row["evidence"] for row in rows)


def test_found_evidence_stands_where_none_is_given_and_is_marked(lake, tmp_path):
    window = [{"start_s": 1.0, "end_s": 2.0}]
    stats = lake.read("question_stats").with_columns(found_evidence=pl.lit(window, dtype=pl.List(WINDOW)))
    lake.write("question_stats", stats)
    none = pl.lit([], dtype=pl.List(WINDOW))
    without = pl.when(pl.col("question_id").is_in(["q10", "q11"])).then(none).otherwise(pl.col("evidence"))
    questions = lake.read("questions").with_columns(evidence=without)
    lake.write("questions", questions)
    build_rl(lake, tmp_path / "rl", SETTINGS, ABOUT)
    rows = {row["question_id"]: row for row in ShardSet(tmp_path / "rl").rows()}
    assert {name: row["evidence_source"] for name, row in rows.items()} == dict.fromkeys(rows, "given") | {
        "q10": "probe",
        "q11": "probe",
    }
    assert rows["q10"]["evidence"] == window != rows["q00"]["evidence"]
    played = {question.question_id: question for question in map(PlayableQuestion.from_shard_row, rows.values())}
    assert played["q10"].evidence_found and not played["q00"].evidence_found
    lake.write("question_stats", stats.with_columns(found_evidence=none))
    build_rl(lake, tmp_path / "again", SETTINGS, ABOUT)
    rows = {row["question_id"]: row for row in ShardSet(tmp_path / "again").rows()}
    assert rows["q10"]["evidence_source"] is None and rows["q10"]["evidence"] == []


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
def test_a_leak_is_refused_and_the_old_data_set_stays(lake, tmp_path, leak):
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


def test_a_frame_whose_bytes_do_not_match_its_id_is_refused(lake, tmp_path):
    """Otherwise a trajectory would show another picture than the one that was played."""
    before = build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    frames = lake.read("frames", ["s-0000"])
    other = frames["jpeg"][1]
    spoilt = pl.when(pl.col("frame_id") == frames["frame_id"][0]).then(pl.lit(other)).otherwise(pl.col("jpeg"))
    lake.write("frames", frames.with_columns(jpeg=spoilt), "s-0000")
    with pytest.raises(ShardError, match=f"bytes of frame {frames['frame_id'][0]} do not match its id"):
        build_sft(lake, tmp_path / "sft", SETTINGS, ABOUT)
    assert ShardSet(tmp_path / "sft").manifest == before


def test_the_manifest_and_the_card_have_the_protocol_of_the_recipe(lake, tmp_path):
    recipe = load_recipe(RECIPES / "demo.yaml").model_copy(
        update={"protocol": ProtocolSettings(overview_frames=80, zoom_frames=7)}
    )
    for kind in ("sft", "rl", "evaluation"):
        manifest = write_shards(kind, lake, tmp_path / kind, recipe)
        assert manifest.protocol == recipe.protocol.to_protocol()
        assert ShardSet(tmp_path / kind).manifest.protocol == manifest.protocol
        assert "| overview_frames | 80 |" in (tmp_path / kind / "README.md").read_text()


def test_the_card_has_the_balance_after_the_rules_and_its_warnings(lake, tmp_path):
    recipe = load_recipe(RECIPES / "demo.yaml")
    write_shards("rl", lake, tmp_path / "rl", recipe)
    assert "## Balance" not in (tmp_path / "rl" / "README.md").read_text()
    counted = {"kind": "question", "place": 9, "rule": "all rules", "trait": "type"}
    other = counted | {"kind": "exemplar", "value": "order", "before": 7, "after": 7}
    lake.write(
        "balance",
        [
            counted | {"value": "choice", "before": 30, "after": 10},
            counted | {"value": "number", "before": 10, "after": 10},
            counted | {"trait": "film", "value": "private.mp4", "before": 1, "after": 1},
            other,
        ],
    )
    tested = row("shifts", **counted, before=40, after=20, units=40, warning="types shift | a lot")
    lake.write("shifts", [tested, tested | {"place": 1, "rule": "no_video", "warning": "of one rule"}])
    manifest = write_shards("rl", lake, tmp_path / "rl", recipe)
    card = (tmp_path / "rl" / "README.md").read_text()
    assert "| question | type | choice | 30 | 75.0% | 10 | 50.0% |" in card and "- types shift | a lot" in card
    assert "private.mp4" not in card and "of one rule" not in card and "order | 7" not in card
    assert ShardSet(tmp_path / "rl").manifest.about["balance_warnings"] == ["types shift | a lot"]
    assert manifest.about == ShardSet(tmp_path / "rl").manifest.about


def test_options_are_shuffled_where_the_recipe_asks_for_it(lake, tmp_path):
    options = ["one", "two", "three", "four"]
    asked = lake.read("questions").to_dicts()
    choices = [one | {"options": options, "answer": "B", "answer_type": "choice"} for one in asked]
    lake.write("questions", choices)
    recipe = load_recipe(RECIPES / "demo.yaml")
    shuffling = recipe.model_copy(update={"shards": ShardSettings(shuffle_options=True)})
    assert ShardSettings(shuffle_options=True).shuffle_options == ("sft", "rl", "evaluation")
    assert ShardSettings(shuffle_options=False).digest() == ShardSettings().digest()
    assert ShardSettings(shuffle_seed=5).digest() == ShardSettings().digest()
    digests = {ShardSettings(shuffle_options=("rl",), shuffle_seed=seed).digest() for seed in (0, 1)}
    assert len(digests | {ShardSettings().digest()}) == 3
    orders = {}
    for kind in ("rl", "evaluation"):
        plain = {one["question_id"]: one for one in shards_of(kind, lake, tmp_path / "plain", recipe).rows()}
        moved = shards_of(kind, lake, tmp_path / "moved", shuffling)
        assert moved.manifest.about["shuffled"] == {"shuffled": len(plain)}
        assert "## Options in another order" in (tmp_path / "moved" / "README.md").read_text()
        for one in moved.rows():
            assert one["options"]["ABCD".index(one["answer"])] == "two"
            assert {**one, "options": options, "answer": "B"} == plain[one["question_id"]]
            orders[one["question_id"]] = one["options"]
    assert len({tuple(order) for order in orders.values()}) > 3
    sft = shards_of("sft", lake, tmp_path / "sft", shuffling)
    assert sft.manifest.about["shuffled"] == {"its text does not have the options once": sft.manifest.rows}


def shards_of(kind, lake, folder, recipe) -> ShardSet:
    write_shards(kind, lake, folder, recipe)
    return ShardSet(folder)


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
