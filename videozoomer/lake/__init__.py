"""The lake: every table declared once, written atomically as Parquet, asked with DuckDB.

Belongs here: declarations (name, columns, types, meaning), the writer, the reader, the stamps that say
whether a result is current. Does not belong here: what the rows mean to any one stage.
"""

from videozoomer.lake.catalog import CATALOG
from videozoomer.lake.lake import Lake
from videozoomer.lake.schema import Column, SchemaError, Table

__all__ = ["CATALOG", "Column", "Lake", "SchemaError", "Table"]
