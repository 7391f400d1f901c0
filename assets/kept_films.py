"""Results of films that an unfinished batch has read already, so that a killed run does not read them again.

Each film's result is a file in the batch's scratch folder, named by what it was made from: the file (its size and
modification time), the settings and the code version. The folder is removed once the batch's tables are written.
"""

import base64
import hashlib
import json
import shutil
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videozoomer.lake.atomic import write_text
from videozoomer.lake.rows import FileRow

if TYPE_CHECKING:
    from videozoomer.video.settings import Ingested

MAY_PASS_LATER = frozenset({"missing", "unreadable", "timeout", "out_of_memory", "decoder_crashed"})
"""Reasons that another try can lift; such a film is read again."""


@dataclass(frozen=True)
class KeptFilms:
    folder: Path
    version: str
    """Code version and settings that decide the results."""
    zoom_store: str | None
    """Folder of the zoom stores; a film whose store is gone is read again. None if the recipe stores none."""

    def key(self, file: FileRow) -> str:
        """Hash of what a film's result is made from, as it is on disk now."""
        from videozoomer.places.finding import changed_mark

        try:
            found = changed_mark(file["uri"])
        except (OSError, ValueError):
            found = ""
        on_disk = found or [file["bytes"], file["modified"]]
        return hashlib.sha256(json.dumps([file["uri"], on_disk, self.version]).encode()).hexdigest()[:32]

    def find(self, key: str, uri: str) -> "Ingested | None":
        """The film's kept result; None if there is none that can be used."""
        from videozoomer.video.store import store_path

        try:
            found = _from_json((self.folder / f"{key}.json").read_text())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        stored = found.record.status != "ok" or not self.zoom_store or store_path(self.zoom_store, uri).exists()
        return found if stored else None

    def keep(self, key: str, file: FileRow, item: "Ingested") -> None:
        """Keep a finished film on disk, unless its file has changed since `key` was computed, or may pass later."""
        if item.record.reason not in MAY_PASS_LATER and self.key(file) == key:
            write_text(self.folder / f"{key}.json", _to_json(item))

    def clear(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def split_kept(kept: KeptFilms, files: Iterable[FileRow]) -> tuple[list["Ingested"], dict[str, tuple[str, FileRow]]]:
    """Results that are kept already, and the other files by URI, each with its key."""
    found: list[Ingested] = []
    unread: dict[str, tuple[str, FileRow]] = {}
    for file in files:
        key = kept.key(file)
        item = kept.find(key, file["uri"])
        if item is None:
            unread[file["uri"]] = key, file
        else:
            found.append(item)
    return found, unread


def _to_json(item: "Ingested") -> str:
    return json.dumps(asdict(item), default=lambda value: base64.b64encode(value).decode())


def _from_json(text: str) -> "Ingested":
    from videozoomer.video.settings import Ingested
    from videozoomer.video.types import BadSpan, Frame, Shot, SignatureTrack, VideoRecord

    value = json.loads(text)
    record: dict[str, Any] = {
        name: tuple(field) if isinstance(field, list) else field for name, field in value["record"].items()
    }
    return Ingested(
        VideoRecord(**record),
        tuple(Shot(**shot) for shot in value["shots"]),
        value["detector"],
        tuple(Frame(**frame | {"jpeg": base64.b64decode(frame["jpeg"])}) for frame in value["overview"]),
        value["overview_policy"],
        tuple(BadSpan(**span) for span in value.get("bad_spans", ())),
        tuple(
            SignatureTrack(track["track"], base64.b64decode(track["pictures"]), base64.b64decode(track["motions"]))
            for track in value["signature"]
        ),
    )
