"""Files that distillation keeps and that cannot be read or written: the step stops, and the sentence says why."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class StorageError(Exception):
    """A file cannot be used; the message names it and the remedy. Every reply so far is in the ledger."""


_DAMAGED = ("malformed", "not a database", "corrupt", "file is encrypted")
_CLOSED = ("readonly", "unable to open", "permission denied", "read-only", "not permitted")
_FULL = ("full", "no space left", "disk quota", "file too large")


@contextmanager
def explained(path: Path, damaged: str, kind: type[StorageError] = StorageError) -> Iterator[None]:
    """Turn what SQLite or the system says about a file into a sentence; `damaged` is the remedy for a damaged file.

    Raises:
        StorageError: of this kind, where the file fails. A statement that is wrong in itself is raised as it is.
    """
    try:
        yield
    except (sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.IntegrityError):
        raise
    except (sqlite3.Error, OSError) as error:
        raise kind(sentence(path, error, damaged)) from error


def sentence(path: Path, error: Exception, damaged: str) -> str:
    """What is wrong with a file, and the remedy."""
    said = str(error).lower()
    if any(word in said for word in _DAMAGED):
        return f"{path} is damaged ({error}); {damaged}"
    if any(word in said for word in _CLOSED):
        return f"{path} cannot be written ({error}); make the file and its folder writable, then run again"
    if any(word in said for word in _FULL):
        return f"{path} cannot grow ({error}); free disk space, then run again"
    return f"{path} cannot be used ({error}); free disk space or restore the file, then run again"
