"""Definitions of the protocol that the rules need in SQL: evidence (windows, hits, IoU) and option letters."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from videozoomer.protocol.evidence import EDGE_S
from videozoomer.protocol.options import LETTERS
from videozoomer.protocol.prompts import FOLDER, load_prompts

if TYPE_CHECKING:
    import duckdb

QUERY = Path(__file__).parent / "queries" / "functions.sql"


PASSAGE = 6
"""Words of a passage. A quotation of twice as many has a whole one in it; shorter ones occur by chance."""


@cache
def prompt_passages() -> str:
    """A regular expression that finds passages of the prompts' instructions in a text in lower case."""
    passages: dict[str, None] = {}
    for folder in sorted(path.name for path in FOLDER.iterdir() if path.is_dir()):
        prompts = load_prompts(folder)
        for text in (prompts.system, prompts.no_zoom, prompts.go_on, prompts.last_round, prompts.reflect):
            for piece in re.split(r"[{}<>\n]+", text.lower()):
                said = piece.split()
                for start in range(0, len(said) - PASSAGE + 1, PASSAGE):
                    passages[re.escape(" ".join(said[start : start + PASSAGE])).replace("\\ ", " ")] = None
    return "|".join(passages).replace("'", "''")


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Define the functions of `queries/functions.sql` on a connection."""
    connection.execute(f"create temp macro edge_s() as {EDGE_S!r}::double")
    connection.execute(f"create temp macro prompt_passages() as '{prompt_passages()}'")
    connection.execute(f"create temp macro letters() as '{LETTERS}'")
    connection.execute(QUERY.read_text())
