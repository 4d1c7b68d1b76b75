"""Which values share one scale: the whole tensor, a channel, or a block along an axis.

Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference", 2.6 (per tensor, per channel);
ONNX operator specification, QuantizeLinear-21 (per block). All three are one thing, a tile that the array is cut into.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import QuantizationError


@dataclass(frozen=True)
class PerTensor:
    """One scale for all values."""

    def tile(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a group in an array of `shape`: ``(out, in) -> (out, in)``."""
        return shape


@dataclass(frozen=True)
class PerChannel:
    """One scale for each index of `axis` (negative counts from the end)."""

    axis: int = 0

    def tile(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a group: ``(out, in) -> (1, in)`` for axis 0. `QuantizationError` if there is no axis."""
        axis = _axis_of(self.axis, shape)
        return (*shape[:axis], 1, *shape[axis + 1 :])


@dataclass(frozen=True)
class PerBlock:
    """One scale for each run of `size` values along `axis`; the last run may be shorter."""

    size: int
    axis: int = -1

    def __post_init__(self) -> None:
        if self.size < 1:
            raise QuantizationError(f"block size must be at least 1, got {self.size}")

    def tile(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of a group: ``(out, in) -> (1, size)`` for axis 1. `QuantizationError` if there is none."""
        axis = _axis_of(self.axis, shape)
        return tuple(self.size if a == axis else 1 for a in range(len(shape)))


Granularity = PerTensor | PerChannel | PerBlock


def group_counts(shape: tuple[int, ...], granularity: Granularity) -> tuple[int, ...]:
    """Return how many groups lie along each axis, which is the shape of the scales.

    ``(out, in)`` gives ``(1, 1)`` per tensor, ``(out, 1)`` per channel of axis 0, ``(out, ceil(in / size))`` per block.
    """
    return tuple(-(-n // step) if step else 1 for n, step in zip(shape, granularity.tile(shape), strict=True))


def per_group(
    function: Callable[[NDArray[np.float64]], NDArray[np.float64]], x: NDArray[np.float64], granularity: Granularity
) -> NDArray[np.float64]:
    """Return `function` of each group's values, laid out as the scales are.

    `function` maps ``(groups..., values)`` to ``(groups..., results)``: per channel of axis 0 an array
    ``(out, in)`` is handed over as ``(out, 1, in)`` and two results a group come back as ``(out, 1, 2)``.
    """
    steps = granularity.tile(x.shape)
    for axis, (n, step) in enumerate(zip(x.shape, steps, strict=True)):
        ragged = n % step if step else 0
        if 0 < ragged < n:
            halves = np.split(x, [n - ragged], axis)
            return np.concatenate([per_group(function, half, granularity) for half in halves], axis)
    counts = group_counts(x.shape, granularity)
    sides = [min(step, n) if n else step for n, step in zip(x.shape, steps, strict=True)]
    cut = x.reshape([length for pair in zip(counts, sides, strict=True) for length in pair])
    axes = (*range(0, cut.ndim, 2), *range(1, cut.ndim, 2))
    return function(cut.transpose(axes).reshape(*counts, prod(sides)))


def expand(per_group_values: NDArray[Any], shape: tuple[int, ...], granularity: Granularity) -> NDArray[Any]:
    """Return one value a group so repeated that it broadcasts against an array of `shape`.

    ``(out, in / size) -> (out, in)`` per block; per tensor and per channel ``(out, 1)`` broadcasts as it is.
    Raises `QuantizationError` when the groups are not those of `shape`.
    """
    if per_group_values.shape != group_counts(shape, granularity):
        raise QuantizationError(
            f"an array of shape {shape} has {group_counts(shape, granularity)} groups by {granularity}, "
            f"but there are scales for {per_group_values.shape}"
        )
    expanded = per_group_values
    for axis, (n, step) in enumerate(zip(shape, granularity.tile(shape), strict=True)):
        if step > 1 and per_group_values.shape[axis] > 1:
            expanded = np.repeat(expanded, step, axis).take(range(n), axis)
    return expanded


def _axis_of(axis: int, shape: tuple[int, ...]) -> int:
    if not -len(shape) <= axis < len(shape):
        raise QuantizationError(f"there is no axis {axis} in an array of shape {shape}")
    return axis % len(shape)
