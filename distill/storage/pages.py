"""The rows in the pages of an SQLite file, read without its tree, for files whose tree is damaged.

Tables `without rowid` are stored like indices. https://www.sqlite.org/fileformat2.html, sections 1.6 and 2.1.
"""

from __future__ import annotations

import struct
from pathlib import Path

PAGE = 4096
"""Bytes of a page; SQLite's default, which our files have."""
_LEAF, _INTERIOR, _TABLE = 0x0A, 0x02, 0x0D
"""Kinds of pages with rows: of an index, two, and of a table with rowids."""
_MOST = (PAGE - 12) * 64 // 255 - 23
"""Bytes of a row that a page of an index holds at most; the rest is on overflow pages."""
_MOST_OF_A_TABLE = PAGE - 35
_LEAST = (PAGE - 12) * 32 // 255 - 23
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
"""Serial type -> bytes of an integer."""
Record = tuple[object, ...]


class _Damaged(ValueError):
    """A cell or a row is not what the format says."""


def records(path: Path) -> tuple[list[Record], int]:
    """All rows that can be read, those of different tables together, and how many pages and rows are lost."""
    data = path.read_bytes()
    found: list[Record] = []
    lost, pages, children = 0, set[int](), {2}
    for number in range(2, len(data) // PAGE + 1):
        start = (number - 1) * PAGE
        kind, _, cells = struct.unpack_from(">BHH", data, start)
        head = {_LEAF: 8, _INTERIOR: 12, _TABLE: 8}.get(kind)
        if head is None or head + 2 * cells > PAGE:
            continue  # An overflow page, or damage.
        pages.add(number)
        if kind == _INTERIOR:
            children.add(struct.unpack_from(">I", data, start + 8)[0])
        for place in struct.unpack_from(f">{cells}H", data, start + head):
            try:
                if not head + 2 * cells <= place < PAGE - 4:
                    raise _Damaged("a cell outside its page")
                if kind == _INTERIOR:
                    children.add(struct.unpack_from(">I", data, start + place)[0])
                found.append(_record(_payload(data, start, place, kind)))
            except (_Damaged, IndexError, struct.error, UnicodeDecodeError):
                lost += 1
    return found, lost + len(children - pages)


def _payload(data: bytes, start: int, place: int, kind: int) -> bytes:
    size, at = _varint(data, start + place + (4 if kind == _INTERIOR else 0))
    most = _MOST
    if kind == _TABLE:
        most, (_, at) = _MOST_OF_A_TABLE, _varint(data, at)
    if size > len(data):
        raise _Damaged("a row longer than the file")
    held = size if size <= most else _LEAST + (size - _LEAST) % (PAGE - 4)
    held = held if held <= most else _LEAST
    if at + held > start + PAGE:
        raise _Damaged("a row beyond its page")
    payload = data[at : at + held]
    if size > held:
        (following,) = struct.unpack_from(">I", data, at + held)
        while len(payload) < size:
            if not 2 <= following <= len(data) // PAGE:
                raise _Damaged("an overflow page that is not there")
            page = data[(following - 1) * PAGE : following * PAGE]
            (following,) = struct.unpack_from(">I", page)
            payload += page[4 : 4 + size - len(payload)]
    return payload


def _record(payload: bytes) -> Record:
    end, at = _varint(payload, 0)
    kinds: list[int] = []
    while at < end:
        kind, at = _varint(payload, at)
        kinds.append(kind)
    values: list[object] = []
    for kind in kinds:
        value, at = _value(payload, kind, at)
        values.append(value)
    if at != len(payload):
        raise _Damaged("a row of another length than its head says")
    return tuple(values)


def _value(payload: bytes, kind: int, at: int) -> tuple[object, int]:
    if kind in (0, 8, 9):
        return {0: None, 8: 0, 9: 1}[kind], at
    if size := _INTEGERS.get(kind):
        return int.from_bytes(payload[at : at + size], "big", signed=True), at + size
    if kind == 7:
        return struct.unpack_from(">d", payload, at)[0], at + 8
    if kind < 12:
        raise _Damaged("a kind of value that there is not")
    size = (kind - 12) // 2
    raw = payload[at : at + size]
    return (raw.decode() if kind % 2 else raw), at + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index in range(8):
        byte = data[at + index]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + index + 1
    return value << 8 | data[at + 8], at + 9
