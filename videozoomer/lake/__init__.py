"""The lake: tables declared once, written atomically as Parquet, queried with DuckDB.

Belongs here: declarations (name, columns, types, meaning), typed rows, the writer, the reader, atomic
replacement of files, and the stamps that show whether a result is current. Does not belong here: what rows mean to a
stage.
"""

from videozoomer.lake.catalog import CATALOG
from videozoomer.lake.lake import Lake
from videozoomer.lake.schema import Column, SchemaError, Table

__all__ = ["CATALOG", "Column", "Lake", "SchemaError", "Table"]
