"""Tables `copies` and `compared`: what training and evaluation films share, brought up to date film by film.

`compared` lists films whose pairs are known: every training film in it was compared with every evaluation film in it.
A run compares new training films with all evaluation films, and new evaluation films with all training films. As a
pair's result depends on the two films alone, this is what comparing all of them again would give.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import polars as pl

from filters.copies.align import NEAR
from filters.copies.film import Film
from filters.copies.find import Copy, Decision, find_copies, status_of
from videozoomer.lake import CATALOG, Lake
from videozoomer.settings.model import FilterSettings
from videozoomer.video.hashing import Hashes

VERSION = "1"
"""Raise it when a comparison gives another result; all films are then compared again."""


@dataclass(frozen=True, slots=True)
class Compared:
    copies: pl.DataFrame
    """Rows of table `copies`."""
    compared: pl.DataFrame
    """Rows of table `compared`."""
    new_train: int
    new_evaluation: int


def pair_id(train_id: str, evaluation_id: str) -> str:
    """Names a pair of films in reviews; video ids are hashes of content, so it lasts."""
    return hashlib.sha256(f"{train_id} {evaluation_id}".encode()).hexdigest()[:24]


def compare_films(lake: Lake, settings: FilterSettings, decisions: Mapping[str, Decision] | None = None) -> Compared:
    """Compare what is new in tables `questions`, `videos` and `signatures` since tables `copies` and `compared`.

    A film belongs to the splits of its questions. `decisions` are a person's, by `pair_id`: a refused pair is no leak,
    a confirmed one is.
    """
    near = min(settings.signature_distance, NEAR)
    rules = f"{VERSION} share {settings.signature_share:g} bits {near}"
    ids = _ids_by_side(lake)
    films, marks = _films(lake, ids["train"] | ids["evaluation"])
    known = {
        (row["side"], row["video_id"])
        for row in lake.read("compared").iter_rows(named=True)
        if row["rules"] == rules and row["signature"] == marks.get(row["video_id"])
    }
    sides = {side: [films[video_id] for video_id in sorted(ids[side]) if video_id in films] for side in ids}
    new = {side: [film for film in chosen if (side, film.film_id) not in known] for side, chosen in sides.items()}
    old_train = [film for film in sides["train"] if ("train", film.film_id) in known]
    found = [
        *find_copies(new["train"], sides["evaluation"], share=settings.signature_share, near=near),
        *find_copies(old_train, new["evaluation"], share=settings.signature_share, near=near),
    ]
    copies = pl.concat([_kept(lake, sides, new), CATALOG["copies"].conform([_row(copy) for copy in found])])
    rows = [
        {"side": side, "video_id": film.film_id, "signature": marks[film.film_id], "rules": rules}
        for side, chosen in sides.items()
        for film in chosen
    ]
    return Compared(
        _with_status(copies, decisions or {}).sort("pair_id"),
        CATALOG["compared"].conform(rows),
        len(new["train"]),
        len(new["evaluation"]),
    )


def _ids_by_side(lake: Lake) -> dict[str, set[str]]:
    videos = lake.read("videos", columns=["uri", "video_id", "status"])
    videos = videos.filter(pl.col("status") == "ok").unique("uri", keep="first", maintain_order=True)
    asked = (
        lake.read("questions", columns=["video_uri", "split", "status"])
        .filter(pl.col("status") == "ok")
        .join(videos.select("uri", "video_id"), left_on="video_uri", right_on="uri")
    )
    return {
        side: set(asked.filter(pl.col("split") == side)["video_id"].drop_nulls()) for side in ("train", "evaluation")
    }


def _films(lake: Lake, ids: set[str]) -> tuple[dict[str, Film], dict[str, str]]:
    """The films that have a signature, and a hash of it, by video id."""
    tracks: dict[str, dict[str, Hashes]] = {}
    digests: dict[str, hashlib.blake2b] = {}
    wanted = lake.scan("signatures").filter(pl.col("video_id").is_in(list(ids))).collect()
    # Two batches may hold one film; its signature is the same.
    for row in wanted.unique(["video_id", "track"], keep="first").sort("video_id", "track").iter_rows(named=True):
        hashes = Hashes(*(np.frombuffer(row[kind], "<u8").astype(np.uint64) for kind in ("pictures", "motions")))
        tracks.setdefault(row["video_id"], {})[row["track"]] = hashes
        digest = digests.setdefault(row["video_id"], hashlib.blake2b(digest_size=12))
        for part in (row["track"].encode(), row["pictures"], row["motions"]):
            digest.update(part)
    films = {video_id: Film(video_id, found) for video_id, found in tracks.items()}
    return films, {video_id: digest.hexdigest() for video_id, digest in digests.items()}


def _kept(lake: Lake, sides: Mapping[str, list[Film]], new: Mapping[str, list[Film]]) -> pl.DataFrame:
    """Earlier pairs of two films that are both still there and not compared anew."""
    stay = {side: {film.film_id for film in sides[side]} - {film.film_id for film in new[side]} for side in sides}
    return lake.read("copies").filter(
        pl.col("train_id").is_in(list(stay["train"])) & pl.col("evaluation_id").is_in(list(stay["evaluation"]))
    )


def _row(copy: Copy) -> dict[str, object]:
    measured = asdict(copy.match)
    tracks = {"train_track": measured.pop("left_track"), "evaluation_track": measured.pop("right_track")}
    ids = {"pair_id": pair_id(copy.left, copy.right), "train_id": copy.left, "evaluation_id": copy.right}
    return ids | {"status": "listed"} | measured | tracks


def _with_status(copies: pl.DataFrame, decisions: Mapping[str, Decision]) -> pl.DataFrame:
    measured = copies.select("evidence", "share", "length_s", "pair_id").iter_rows()
    found = [status_of(evidence, share, length_s, decisions.get(name)) for evidence, share, length_s, name in measured]
    return copies.with_columns(pl.Series("status", found, dtype=pl.String))
