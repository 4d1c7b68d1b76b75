"""How a language model's answers are decoded: plain data, stored with a job as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from compress.errors import DataError


@dataclass(frozen=True)
class Decoding:
    """Up to ``most_new`` tokens behind a prompt, until token ``end``; ``beams`` are the texts kept at each (1: greedy).

    What a text begins with - a start token, or a decoder's - stands in the prompts. Raises `DataError` for a count
    that is not a whole number from 1, or a negative token.
    """

    end: int
    most_new: int
    beams: int = 1

    def __post_init__(self) -> None:
        for name, least in (("end", 0), ("most_new", 1), ("beams", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise DataError(f"decoding: {name} must be a whole number from {least}, got {value!r}")
