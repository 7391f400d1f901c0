"""Definitions of the protocol that the rules need in SQL: evidence (windows, hits, IoU) and option letters."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from videozoomer.protocol.evidence import EDGE_S
from videozoomer.protocol.options import LETTERS

if TYPE_CHECKING:
    import duckdb

QUERY = Path(__file__).parent / "queries" / "functions.sql"


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the functions of `queries/functions.sql` on a connection."""
    connection.execute(f"create temp macro edge_s() as {EDGE_S!r}::double")
    connection.execute(f"create temp macro letters() as '{LETTERS}'")
    connection.execute(QUERY.read_text())
