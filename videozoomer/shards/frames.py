"""Streams frames from the lake into a data set with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from videozoomer.lake.lake import Lake
from videozoomer.lake.rows import FrameRow

QUERY = Path(__file__).with_name("frames.sql")
MEMORY_LIMIT = "512MB"
"""Memory that DuckDB may use while it sorts; the rest spills to a temporary folder."""
BATCH_FRAMES = 256


def stream_frames(lake: Lake, places: Mapping[str, Sequence[tuple[str, float]]]) -> Iterator[FrameRow]:
    """Rows of table `frames` for the wanted ids, each once, with the first place of each, and in the order of those.

    `places`: frame id -> (video, presentation time in seconds), sorted. Batches may have the same frame in other films;
    neither their names nor their order changes what is returned.

    Ids that are not in the lake are missing from the result; `write_dataset` raises an error for them.
    """
    import duckdb

    files = lake.files("frames")
    ids = pa.table(
        {
            "frame_id": pa.array(list(places), pa.string()),
            "video_id": pa.array([shown[0][0] for shown in places.values()], pa.string()),
            "time_s": pa.array([shown[0][1] for shown in places.values()], pa.float64()),
        }
    )
    if not files or not ids.num_rows:
        return
    listed = ", ".join("'" + str(file).replace("'", "''") + "'" for file in files)
    with TemporaryDirectory(prefix="frames-") as spill, duckdb.connect(":memory:") as connection:
        connection.execute(f"set memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"set temp_directory = '{spill}'")
        connection.execute("set threads = 2")
        connection.register("wanted", ids)
        reader = connection.sql(QUERY.read_text().replace("{files}", listed)).to_arrow_reader(BATCH_FRAMES)
        for batch in reader:
            yield from batch.to_pylist()
