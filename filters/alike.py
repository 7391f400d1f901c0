"""Trajectories that say nearly the same: MinHash over runs of three words, then the exact share of common runs.

NumPy computes the hashes of all texts at once: 4 CPU microseconds for a text of 60 words. `datasketch`, the usual
library, takes one text at a time and one hash call a run: 85 with as many permutations, measured in the same process.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

if TYPE_CHECKING:
    import duckdb

RUN = 3
"""Words of a run."""
LEAST_WORDS = 12
"""Shorter texts are alike by chance."""
BANDS, ROWS = 6, 3
"""Two texts are compared if all hashes of a band agree: at a share of 0.9 this misses 1 pair in 2,500,
at 0.8 one in 70."""
CHUNK = 50_000
"""Texts that are hashed at once."""
SCHEMA = {"trajectory_id": pl.String, "other_id": pl.String, "share": pl.Float64}
TEXTS = """
    select
        survivors.trajectory_id,
        survivors.kind = 'rollout' as harvested,
        string_agg(turns.thought, ' ' order by turns.place) as said
    from survivors
    join turns on turns.trajectory_id = survivors.trajectory_id and turns.repairs
    group by
        survivors.trajectory_id, survivors.kind, survivors.hit, survivors.frames_shown, survivors.output_tokens,
        survivors.sample
    order by
        coalesce(survivors.hit, false) desc, survivors.frames_shown, survivors.output_tokens, survivors.sample,
        survivors.trajectory_id
"""
"""The replies of every survivor that training imitates; the best ones first. Harvested rollouts are a data set of their
own, so they are compared with one another alone."""


def find(connection: duckdb.DuckDBPyConnection, ratio: float) -> pl.DataFrame:
    """(trajectory_id, other_id, share): survivors whose text shares at least `ratio` of its runs with a better one's.

    A text is compared with the best one of each of its bands, not with all, so a thousand equal texts are a thousand
    comparisons. Runs are counted once each; the share is that of the common runs in all runs of both (Jaccard).
    """
    ids: list[str] = []
    keys: list[np.ndarray] = []
    reader = connection.sql(TEXTS).to_arrow_reader(CHUNK)
    for batch in reader:
        texts = pl.from_arrow(batch)
        assert isinstance(texts, pl.DataFrame)
        texts = texts.filter(pl.col("said").str.count_matches(" ", literal=True) >= LEAST_WORDS - 1)
        if texts.height:
            ids += texts["trajectory_id"].to_list()
            own_key = texts["harvested"].to_numpy().astype(np.uint64)[:, None]
            keys.append(_bands(texts["said"]) ^ own_key)
    if not ids:
        return pl.DataFrame(schema=SCHEMA)
    pairs = set(_candidates(np.concatenate(keys)))
    compared = sorted({index for pair in pairs for index in pair})
    connection.register("compared", pl.DataFrame({"trajectory_id": [ids[index] for index in compared]}))
    said = dict(
        connection.sql(f"select trajectory_id, said from ({TEXTS}) semi join compared using (trajectory_id)").fetchall()
    )
    rows = []
    for later, earlier in sorted(pairs):
        share = common(said[ids[later]], said[ids[earlier]])
        if share >= ratio:
            rows.append((ids[later], ids[earlier], share))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def common(left: str, right: str) -> float:
    """Share of the runs of both texts that they have in common."""
    ours, theirs = _runs(left), _runs(right)
    return len(ours & theirs) / len(ours | theirs)


def _runs(text: str) -> set[tuple[str, ...]]:
    said = _words(text)
    return {tuple(said[start : start + RUN]) for start in range(len(said) - RUN + 1)}


def _words(text: str) -> list[str]:
    return text.lower().split()


def _bands(texts: pl.Series) -> np.ndarray:
    """(texts, bands): a hash of each band's smallest hashes."""
    said = texts.str.to_lowercase().str.split(" ")
    counts = said.list.len().to_numpy().astype(np.int64)
    hashed = said.explode().hash(seed=1).to_numpy()
    runs = np.empty_like(hashed)
    runs[:] = hashed * np.uint64(0x9E3779B97F4A7C15)
    for step in range(1, RUN):
        runs[:-step] = (runs[:-step] ^ hashed[step:]) * np.uint64(0x9E3779B97F4A7C15)
    ends = np.cumsum(counts)
    starts = ends - counts
    # The last words of a text begin no run of their own; they repeat its first one, which changes no minimum.
    for back in range(1, RUN):
        runs[ends - back] = runs[starts]
    generator = np.random.default_rng(3)
    keys = np.zeros((len(texts), BANDS), np.uint64)
    for band in range(BANDS):
        for _ in range(ROWS):
            factor = generator.integers(0, 2**64, dtype=np.uint64) | np.uint64(1)
            mixed = runs * factor
            mixed ^= mixed >> np.uint64(29)
            smallest = np.minimum.reduceat(mixed, starts)
            keys[:, band] = (keys[:, band] ^ smallest) * np.uint64(0xBF58476D1CE4E5B9)
    return keys


def _candidates(keys: np.ndarray) -> Iterator[tuple[int, int]]:
    """(later, first) index of texts that agree in a band."""
    for band in range(keys.shape[1]):
        _, first, inverse = np.unique(keys[:, band], return_index=True, return_inverse=True)
        leader = first[inverse]
        for index in np.flatnonzero(leader != np.arange(len(leader))):
            yield int(index), int(leader[index])
