"""`python -m videozoomer.lake.document`: docs/tables.md from the declarations, so that it cannot say otherwise than
they do."""

from __future__ import annotations

from videozoomer.lake.catalog import CATALOG

HEADER = """\
# Tables

Written by `make docs` from `videozoomer/lake/catalog.py`. A table is a folder of Parquet files in `<home>/tables/`, one for each
partition; `<home>/lake.duckdb` has a view for each.
"""


def as_markdown() -> str:
    parts = [HEADER]
    for table in CATALOG.values():
        parts.append(
            f"\n## {table.name}\n\nA row is {table.meaning}. Key: {', '.join(f'`{name}`' for name in table.key)}.\n"
        )
        parts.append("\n| column | type | meaning |\n| --- | --- | --- |")
        for column in table.columns:
            optional = "" if column.required else " (may be null)"
            parts.append(f"\n| `{column.name}` | {_type(column.dtype)} | {column.meaning}{optional} |")
        parts.append("\n")
    return "".join(parts)


def _type(dtype: object) -> str:
    text = str(dtype)
    return text if len(text) <= 40 else text.split("(", 1)[0]


if __name__ == "__main__":
    print(as_markdown(), end="")
