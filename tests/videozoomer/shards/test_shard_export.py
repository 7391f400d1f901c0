"""Exports have the texts, pictures and trained turns of our own training."""

import io
import json
import tarfile

import polars as pl
import pytest
from datasets import load_dataset
from PIL import Image

from videozoomer.protocol import Protocol, load_prompts
from videozoomer.settings.model import ShardSettings
from videozoomer.shards.build import build_rl, build_sft
from videozoomer.shards.export import export
from videozoomer.shards.manifest import ShardError
from videozoomer.shards.read import ShardSet
from videozoomer.shards.schema import frame_ids
from videozoomer.shards.write import write_dataset

SETTINGS = ShardSettings(validation_share=0.25)
ABOUT = {"protocol": Protocol().to_dict(), "prompt_version": "v1"}


@pytest.fixture
def sft(lake, tmp_path) -> ShardSet:
    """One of the rows has a turn that is excluded from the loss."""
    build_sft(lake, tmp_path / "built", SETTINGS, {})
    built = ShardSet(tmp_path / "built")
    rows = built.rows()
    rows[0]["messages"][2]["train"] = False
    frames = [row for path in sorted(built.path.glob("frames-*.parquet")) for row in _rows(path)]
    write_dataset("sft", tmp_path / "sft", rows, frames, about={}, max_rows=100)
    return ShardSet(tmp_path / "sft")


def _rows(path):
    return pl.read_parquet(path).to_dicts()


def text_of(row: dict) -> list[str]:
    return [
        "".join("<image>" if part["type"] == "image" else part["text"] for part in message["parts"])
        for message in row["messages"]
    ]


def test_llama_factory_leaves_out_rows_with_failed_turns(sft, tmp_path):
    counts = export(sft, "llama_factory", tmp_path / "out")
    rows = [row for row in sft.rows("train") if all(message["train"] for message in row["messages"])]
    records = json.loads((tmp_path / "out" / "train.json").read_text())
    assert counts["left_out"] == 1 and len(records) == counts["train"] == len(rows)
    for record, row in zip(records, rows, strict=True):
        assert [message["content"] for message in record["messages"]] == text_of(row)
        assert sum(message["content"].count("<image>") for message in record["messages"]) == len(record["images"])
        assert [(tmp_path / "out" / path).read_bytes() for path in record["images"]] == [
            sft.jpeg(frame) for frame in frame_ids("sft", row)
        ]
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert {entry["file_name"] for entry in info.values()} == {"train.json", "validation.json"}
    assert export(sft, "llama_factory", tmp_path / "all", failed_turns=True)["left_out"] == 0


def test_ms_swift_marks_which_turns_are_trained(sft, tmp_path):
    counts = export(sft, "ms_swift", tmp_path / "out")
    records = [json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    assert counts["left_out"] == 0 and len(records) == len(sft.rows("train"))
    marks = [message["loss"] for record in records for message in record["messages"] if message["role"] == "assistant"]
    stored = [
        message["train"] for row in sft.rows("train") for message in row["messages"] if message["role"] == "assistant"
    ]
    assert marks == stored and False in marks


def test_trl_gets_typed_parts_and_pictures(sft, tmp_path):
    export(sft, "trl", tmp_path / "out")
    loaded = load_dataset(
        "parquet", data_files=str(tmp_path / "out" / "train.parquet"), cache_dir=str(tmp_path / "cache")
    )["train"]
    row = sft.rows("train")[0]
    assert [[part["type"] for part in message["content"]] for message in loaded[0]["messages"]] == [
        [part["type"] for part in message["parts"]] for message in row["messages"]
    ]
    assert [picture["bytes"] for picture in loaded[0]["images"]] == [sft.jpeg(frame) for frame in frame_ids("sft", row)]


def test_webdataset_keeps_a_row_together(sft, tmp_path):
    export(sft, "webdataset", tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "train.tar") as tar:
        names = tar.getnames()
        first = json.load(tar.extractfile(names[0]))
        picture = tar.extractfile(names[1]).read()
    assert first == sft.rows("train")[0] and names[1] == f"{first['id']}.000.jpg"
    assert Image.open(io.BytesIO(picture)).size == (56, 56) and len(names) == len(set(names))


def verl(shards: ShardSet, target):
    export(shards, "verl", target)
    files = str(target / "train.parquet")
    return load_dataset("parquet", data_files=files, cache_dir=str(target / "cache"))["train"]


def test_verl_gets_the_prompt_the_answer_and_what_a_zoom_needs(lake, tmp_path):
    build_rl(lake, tmp_path / "rl", SETTINGS, ABOUT)
    shards = ShardSet(tmp_path / "rl")
    for record, row in zip(verl(shards, tmp_path / "out"), shards.rows("train"), strict=True):
        assert record["reward_model"] == {"style": "rule", "ground_truth": row["answer"]}
        assert [message["role"] for message in record["prompt"]] == ["system", "user"]
        assert record["prompt"][1]["content"].count("<image>") == len(record["images"]) == 4
        assert (
            record["extra_info"]["video_uri"] == row["video_uri"]
            and record["extra_info"]["evidence"] == row["evidence"]
        )


def test_the_prompt_of_verl_has_the_numbers_of_the_run(lake, tmp_path):
    """With the paper's numbers instead, a policy would learn limits that its episodes do not have."""
    protocol = Protocol(overview_frames=80, zoom_frames=7, max_zooms=2)
    question = next(row for row in rl_rows(lake, tmp_path) if row["split"] == "train")
    frames = {row["frame_id"]: row for row in lake.read("frames").to_dicts()}
    question["overview_frame_ids"] = [question["overview_frame_ids"][0]] * 80
    question["overview_times_s"] = [float(index) for index in range(80)]
    shown = [frames[question["overview_frame_ids"][0]]]
    about = ABOUT | {"protocol": protocol.to_dict()}
    write_dataset("rl", tmp_path / "long", [question], shown, about=about, max_rows=10)
    (record,) = verl(ShardSet(tmp_path / "long"), tmp_path / "out")
    system, user = (message["content"] for message in record["prompt"])
    expected = load_prompts("v1").system.format(overview_frames=80, zoom_frames=7, max_zooms=2)
    assert system == expected and user.count("<image>") == 80


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({}, "does not record the protocol's numbers"),
        ({"prompt_version": "v1"}, "does not record the protocol's numbers"),
        ({"protocol": Protocol().to_dict(), "prompt_version": "v0"}, "no prompts of version 'v0'"),
        ({"protocol": {"overview_frames": 3}, "prompt_version": "v1"}, "q00.*4 overview frames exceed"),
        ({"protocol": {"frames": 3}, "prompt_version": "v1"}, "unknown protocol numbers"),
    ],
)
def test_without_the_right_numbers_verl_gets_nothing(lake, tmp_path, about, says):
    with pytest.raises(ShardError, match=says):
        build_rl(lake, tmp_path / "rl", ShardSettings(validation_share=0), about)
        export(ShardSet(tmp_path / "rl"), "verl", tmp_path / "out")


def test_a_data_set_from_before_the_numbers_were_recorded_is_still_read(lake, tmp_path):
    build_rl(lake, tmp_path / "rl", SETTINGS, {"prompt_version": "v1", "protocol_version": "1"})
    shards = ShardSet(tmp_path / "rl")
    shards.verify()
    assert shards.manifest.protocol is None
    assert [question.question_id for question in shards.questions()] == [row["question_id"] for row in shards.rows()]


def rl_rows(lake, tmp_path) -> list[dict]:
    build_rl(lake, tmp_path / "rows", SETTINGS, {})
    return ShardSet(tmp_path / "rows").rows()


def test_what_cannot_be_exported_is_refused(sft, tmp_path):
    with pytest.raises(ShardError, match="verl exports"):
        export(sft, "verl", tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(ShardError, match="not empty"):
        export(sft, "trl", tmp_path / "full")
    rows = sft.rows()
    rows[1]["messages"][-1]["parts"][0]["text"] += " <image>"
    frames = [row for path in sorted(sft.path.glob("frames-*.parquet")) for row in _rows(path)]
    write_dataset("sft", tmp_path / "hostile", rows, frames, about={}, max_rows=100)
    with pytest.raises(ShardError, match="take for a picture"):
        export(ShardSet(tmp_path / "hostile"), "ms_swift", tmp_path / "swift")
