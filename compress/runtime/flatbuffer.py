"""Read a flatbuffer with every offset checked against the file's end.

After "FlatBuffers internals" (https://flatbuffers.dev/internals/): little-endian, tables that point to a vtable of
field offsets, vectors that start with their length. The generated readers trust their input; a truncated or hostile
file makes them loop over billions of entries or read other fields' bytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from compress.errors import ModelFileError

_READINGS = 16
"""How many vector elements may be read for each byte of the file."""


@dataclass(frozen=True)
class Vector:
    """Where a vector's elements lie in the file: from byte `start`, `length` elements."""

    start: int
    length: int


class Flatbuffer:
    """A flatbuffer's content; positions are byte offsets into it. Raises `ModelFileError` on any step outside."""

    def __init__(self, content: bytes, identifier: bytes, what: str) -> None:
        self.content = content
        self.what = what
        if len(content) < 8 or content[4:8] != identifier:
            raise ModelFileError(
                f"not a {what} file: {len(content)} bytes without the identifier {identifier.decode()!r}; "
                "check that the path names the model"
            )
        # a sound file's vectors are disjoint and read a few times; a hostile one's may all overlap, for ever
        self._left = _READINGS * len(content)
        self.root = self.follow(0)

    def broken(self, where: str) -> ModelFileError:
        """Return the error for a structure that does not fit into the file."""
        return ModelFileError(
            f"{self.what} file is truncated or damaged: {where} outside its {len(self.content)} bytes; write it again"
        )

    def number(self, position: int, form: str) -> int:
        """Return the little-endian integer of `struct` format `form` at `position`."""
        try:
            (value,) = struct.unpack_from("<" + form, self.content, position) if position >= 0 else (None,)
        except struct.error:
            value = None
        if value is None:
            raise self.broken(f"byte {position} lies")
        return int(value)

    def follow(self, position: int) -> int:
        """Return the position that the unsigned offset at `position` points to."""
        target = position + self.number(position, "I")
        if target > len(self.content) - 4:
            raise self.broken(f"an offset at byte {position} points")
        return target

    def field(self, table: int, index: int) -> int | None:
        """Return the position of field `index` of the table at `table`, or None when it is left out."""
        vtable = table - self.number(table, "i")
        slot = 4 + 2 * index
        if slot + 2 > self.number(vtable, "H"):
            return None
        offset = self.number(vtable + slot, "H")
        return table + offset if offset else None

    def scalar(self, table: int, index: int, form: str, default: int = 0) -> int:
        """Return the integer in field `index`, or `default` when it is left out."""
        position = self.field(table, index)
        return default if position is None else self.number(position, form)

    def table(self, table: int, index: int) -> int | None:
        """Return the position of the table that field `index` refers to, or None."""
        position = self.field(table, index)
        return None if position is None else self.follow(position)

    def vector(self, table: int, index: int, item_bytes: int) -> Vector:
        """Return the vector in field `index`, whose elements take `item_bytes`; empty when it is left out."""
        position = self.field(table, index)
        if position is None:
            return Vector(0, 0)
        start = self.follow(position)
        length = self.number(start, "I")
        self._left -= length
        if start + 4 + length * item_bytes > len(self.content) or self._left < 0:
            raise self.broken(f"a vector of {length} elements at byte {start} ends")
        return Vector(start + 4, length)

    def tables(self, table: int, index: int) -> list[int]:
        """Return the positions of the tables in the vector of field `index`."""
        vector = self.vector(table, index, 4)
        return [self.follow(vector.start + 4 * item) for item in range(vector.length)]

    def numbers(self, table: int, index: int, form: str) -> tuple[int, ...]:
        """Return the integers in the vector of field `index`."""
        size = struct.calcsize("<" + form)
        vector = self.vector(table, index, size)
        return struct.unpack_from(f"<{vector.length}{form}", self.content, vector.start)

    def text(self, table: int, index: int) -> str:
        """Return the string in field `index`, empty when it is left out."""
        vector = self.vector(table, index, 1)
        return self.content[vector.start : vector.start + vector.length].decode("utf-8", "replace")
