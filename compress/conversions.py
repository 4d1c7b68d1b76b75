"""What recipes of one model have in common, made once for all of them, and charged to each that uses it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")


class Conversions:
    """The conversions of one model so far, by name: immutable values, and the seconds that each took to make.

    ``spared_s`` adds up the seconds of what was found instead of made. An export's wall time plus what it was spared
    is the same whichever file is written first.
    """

    def __init__(self) -> None:
        self._made: dict[str, tuple[Any, float]] = {}
        self.spared_s = 0.0

    def once(self, name: str, make: Callable[[], T]) -> T:
        """Return what `make` returned the first time that `name` was asked for; it may ask for others itself."""
        if name in self._made:
            value, time_s = self._made[name]
            self.spared_s += time_s
        else:
            spared_s, started = self.spared_s, time.perf_counter()
            value = make()
            self._made[name] = value, time.perf_counter() - started + self.spared_s - spared_s
        found: T = value
        return found


_SHARED: ContextVar[tuple[Any, Conversions] | None] = ContextVar("shared conversions", default=None)


@contextmanager
def sharing(model: Any, conversions: Conversions) -> Iterator[None]:
    """Let exports of `model` use `conversions`. The caller answers for a model that nobody changes in between."""
    token = _SHARED.set((model, conversions))
    try:
        yield
    finally:
        _SHARED.reset(token)


def conversions_of(model: Any) -> Conversions:
    """Return the conversions that are shared for `model`, this very object, or new ones that nobody else sees."""
    shared = _SHARED.get()
    return shared[1] if shared is not None and shared[0] is model else Conversions()
