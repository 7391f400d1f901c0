"""Exports a data set in the formats of other trainers.

    python -m videozoomer.shards.export --shards runs/films/shards/sft --format llama_factory --out exports/films

| format | kind | what it writes |
| --- | --- | --- |
| llama_factory | sft | `<split>.json`, `dataset_info.json`, `images/`: ShareGPT with `<image>` placeholders |
| ms_swift | sft | `<split>.jsonl`, `images/`: the same, with `loss` on every assistant message |
| trl | sft | `<split>.parquet`: messages of typed parts, with their pictures in a column |
| webdataset | sft | `<split>.tar`: a JSON file and its pictures for each row |
| verl | rl, evaluation | `<split>.parquet`: prompt, pictures and ground truth; `extra_info` has what a zoom needs |

LLaMA-Factory cannot exclude one assistant turn of a conversation from the loss. Its export therefore leaves out and
counts rows with a failed turn, unless `--failed-turns` keeps them.
"""

from __future__ import annotations

import argparse
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from videozoomer.lake.rows import MessageRow
from videozoomer.protocol import Episode, Prompts, Protocol, load_prompts
from videozoomer.protocol.message_rows import to_rows
from videozoomer.shards.manifest import ShardError
from videozoomer.shards.read import ShardSet
from videozoomer.shards.schema import SPLITS, frame_ids

PLACEHOLDER = "<image>"
"""Marks the position of a picture in the texts of most trainers."""


def export(shards: ShardSet, form: str, target: Path, *, failed_turns: bool = False) -> dict[str, int]:
    """Write the data set to an empty folder; return rows by split, and `left_out`.

    Raises:
        ShardError: the data set does not match its manifest, the format does not fit its kind, the folder is not empty,
            a text contains `<image>`, or (verl) the data set does not record its protocol.
    """
    if form not in FORMATS:
        raise ShardError(f"format {form!r} is unknown; choose from {sorted(FORMATS)}")
    kinds, write = FORMATS[form]
    if shards.manifest.kind not in kinds:
        raise ShardError(f"{form} exports {' or '.join(kinds)} data sets, but {shards.path} is {shards.manifest.kind}")
    if target.exists() and any(target.iterdir()):
        raise ShardError(f"{target} is not empty; choose a new folder")
    shards.verify()
    target.mkdir(parents=True, exist_ok=True)
    counts = {"left_out": 0}
    for split in SPLITS[shards.manifest.kind]:
        rows = shards.rows(split)
        kept = [row for row in rows if failed_turns or form != "llama_factory" or not _has_failed_turn(row)]
        counts[split] = len(kept)
        counts["left_out"] += len(rows) - len(kept)
        if kept:
            write(shards, split, kept, target)
    return counts


def _has_failed_turn(row: dict) -> bool:
    return any(message["role"] == "assistant" and not message["train"] for message in row["messages"])


def _flat(messages: Sequence[MessageRow], where: str) -> list[dict]:
    """Messages with one text each and a placeholder for every picture."""
    flat = []
    for message in messages:
        texts = [part["text"] for part in message["parts"]]
        if any(PLACEHOLDER in text for text in texts if text is not None):
            raise ShardError(
                f"{where}: a text contains {PLACEHOLDER}, which trainers take for a picture; remove the row"
            )
        content = "".join(PLACEHOLDER if text is None else text for text in texts)
        flat.append({"role": message["role"], "content": content})
    return flat


def _pictures(shards: ShardSet, rows: Sequence[dict], target: Path) -> None:
    folder = target / "images"
    folder.mkdir(exist_ok=True)
    for frame_id in dict.fromkeys(frame for row in rows for frame in frame_ids("sft", row)):
        (folder / f"{frame_id}.jpg").write_bytes(shards.jpeg(frame_id))


def _llama_factory(shards: ShardSet, split: str, rows: list[dict], target: Path) -> None:
    _pictures(shards, rows, target)
    records = [
        {
            "messages": _flat(row["messages"], row["id"]),
            "images": [f"images/{frame}.jpg" for frame in frame_ids("sft", row)],
        }
        for row in rows
    ]
    (target / f"{split}.json").write_text(json.dumps(records, ensure_ascii=False, indent=1))
    path = target / "dataset_info.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known[f"videozoomer_{split}"] = {
        "file_name": f"{split}.json",
        "formatting": "sharegpt",
        "columns": {"messages": "messages", "images": "images"},
        "tags": {
            "role_tag": "role",
            "content_tag": "content",
            "user_tag": "user",
            "assistant_tag": "assistant",
            "system_tag": "system",
        },
    }
    path.write_text(json.dumps(known, indent=1))


def _ms_swift(shards: ShardSet, split: str, rows: list[dict], target: Path) -> None:
    _pictures(shards, rows, target)
    with (target / f"{split}.jsonl").open("w") as out:
        for row in rows:
            messages = _flat(row["messages"], row["id"])
            for message, stored in zip(messages, row["messages"], strict=True):
                if message["role"] == "assistant":
                    message["loss"] = stored["train"]
            out.write(
                json.dumps(
                    {"messages": messages, "images": [f"images/{frame}.jpg" for frame in frame_ids("sft", row)]},
                    ensure_ascii=False,
                )
                + "\n"
            )


_PART = pa.struct([("type", pa.string()), ("text", pa.string())])
_PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def _trl(shards: ShardSet, split: str, rows: list[dict], target: Path) -> None:
    message = pa.struct([("role", pa.string()), ("content", pa.list_(_PART)), ("train", pa.bool_())])
    schema = pa.schema([("id", pa.string()), ("messages", pa.list_(message)), ("images", pa.list_(_PICTURE))])

    def records() -> Iterator[dict]:
        for row in rows:
            messages = [
                {
                    "role": m["role"],
                    "train": m["train"],
                    "content": [{"type": part["type"], "text": part["text"]} for part in m["parts"]],
                }
                for m in row["messages"]
            ]
            yield {"id": row["id"], "messages": messages, "images": _embedded(shards, frame_ids("sft", row))}

    _write_parquet(target / f"{split}.parquet", schema, records())


def _webdataset(shards: ShardSet, split: str, rows: list[dict], target: Path) -> None:
    with tarfile.open(target / f"{split}.tar", "w") as tar:
        for row in rows:
            _add(tar, f"{row['id']}.json", json.dumps(row, ensure_ascii=False).encode())
            for index, frame in enumerate(frame_ids("sft", row)):
                _add(tar, f"{row['id']}.{index:03d}.jpg", shards.jpeg(frame))


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _verl(shards: ShardSet, split: str, rows: list[dict], target: Path) -> None:
    message = pa.struct([("role", pa.string()), ("content", pa.string())])
    window = pa.struct([("start_s", pa.float64()), ("end_s", pa.float64())])
    extra = pa.struct(
        [
            ("split", pa.string()),
            ("index", pa.int64()),
            ("question_id", pa.string()),
            ("video_uri", pa.string()),
            ("duration_s", pa.float64()),
            ("answer_type", pa.string()),
            ("options", pa.list_(pa.string())),
            ("evidence", pa.list_(window)),
            ("pass_rate", pa.float64()),
        ]
    )
    schema = pa.schema(
        [
            ("data_source", pa.string()),
            ("prompt", pa.list_(message)),
            ("images", pa.list_(_PICTURE)),
            ("ability", pa.string()),
            ("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())])),
            ("extra_info", extra),
        ]
    )
    protocol, prompts = _played_by(shards)

    def records() -> Iterator[dict]:
        for index, (row, question) in enumerate(zip(rows, shards.questions(split), strict=True)):
            try:
                episode = Episode(question.item.task, question.overview, protocol, prompts)
            except ValueError as error:
                raise ShardError(
                    f"question {question.question_id} of {shards.path} does not fit the protocol in its manifest: "
                    f"{error}; build the data set again"
                ) from error
            asked = to_rows(episode.messages)
            about = {
                name: row.get(name)
                for name in (
                    "question_id",
                    "video_uri",
                    "duration_s",
                    "answer_type",
                    "options",
                    "evidence",
                    "pass_rate",
                )
            }
            yield {
                "data_source": "videozoomer",
                "prompt": _flat(asked, row["question_id"]),
                "images": _embedded(shards, row["overview_frame_ids"]),
                "ability": row["topic"] or "video",
                "reward_model": {"style": "rule", "ground_truth": row["answer"]},
                "extra_info": {"split": split, "index": index, **about},
            }

    _write_parquet(target / f"{split}.parquet", schema, records())


def _played_by(shards: ShardSet) -> tuple[Protocol, Prompts]:
    """The protocol and the prompts that the manifest names: a prompt with other numbers would teach another task."""
    protocol, version = shards.manifest.protocol, shards.manifest.about.get("prompt_version")
    if protocol is None or version is None:
        raise ShardError(
            f"the manifest of {shards.path} does not record the protocol's numbers or the prompt version, so its "
            f"prompts cannot be written; build it again (`videozoomer run --force {shards.manifest.kind}_shards`)"
        )
    try:
        return protocol, load_prompts(version)
    except FileNotFoundError as error:
        raise ShardError(f"{shards.path}: {error}; install the version that built it, or build it again") from error


def _embedded(shards: ShardSet, frames: Sequence[str]) -> list[dict]:
    return [{"bytes": shards.jpeg(frame), "path": f"{frame}.jpg"} for frame in frames]


def _write_parquet(path: Path, schema: pa.Schema, records: Iterator[dict]) -> None:
    """Write a few rows at a time, because their pictures fill memory."""
    with pq.ParquetWriter(path, schema) as writer:
        while group := [record for _, record in zip(range(16), records, strict=False)]:
            writer.write_table(pa.Table.from_pylist(group, schema))


FORMATS: dict[str, tuple[tuple[str, ...], Callable[[ShardSet, str, list[dict], Path], None]]] = {
    "llama_factory": (("sft",), _llama_factory),
    "ms_swift": (("sft",), _ms_swift),
    "trl": (("sft",), _trl),
    "webdataset": (("sft",), _webdataset),
    "verl": (("rl", "evaluation"), _verl),
}
"""Format -> kinds of data set that it exports, and its writer."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="videozoomer.shards.export", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shards", type=Path, required=True, help="data set (folder with manifest.json)")
    parser.add_argument("--format", choices=sorted(FORMATS), required=True)
    parser.add_argument("--out", type=Path, required=True, help="new or empty folder")
    parser.add_argument(
        "--failed-turns", action="store_true", help="keep rows with failed turns, on which the format then trains"
    )
    given = parser.parse_args()
    counts = export(ShardSet(given.shards), given.format, given.out, failed_turns=given.failed_turns)
    print(", ".join(f"{name} {count}" for name, count in counts.items()))


if __name__ == "__main__":
    main()
