"""The project's definition of evidence (`videozoomer.protocol.evidence`) as functions that the rules can call in SQL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from videozoomer.protocol.evidence import EDGE_S

if TYPE_CHECKING:
    import duckdb

QUERY = Path(__file__).parent / "queries" / "evidence.sql"


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Define `window_covers`, `every_window_is_hit` and `iou` on a connection."""
    connection.execute(f"create temp macro edge_s() as {EDGE_S!r}::double")
    connection.execute(QUERY.read_text())
