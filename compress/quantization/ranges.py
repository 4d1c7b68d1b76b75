"""Which range of values a scale covers: all of it, a percentile of it, or the one of least squared error.

Krishnamoorthi 2018, 2.5 (min-max); Wu et al. 2020, "Integer quantization for deep learning inference", "Calibration"
(percentile); Choukroun et al. 2019, "Low-bit quantization of neural networks for efficient inference" (MSE).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compress.errors import QuantizationError
from compress.quantization.affine import Parameters, Scheme, decode, encode, floats, grid
from compress.quantization.granularity import per_group


class RangeRule(Protocol):
    """How the ends of a range are chosen; it composes with every `Scheme` and granularity."""

    def ends(self, x: NDArray[np.float64], scheme: Scheme) -> NDArray[np.float64]:
        """Return low and high of each group, laid out as the scales are: ``(out, in) -> (out, 1, 2)`` per channel."""
        ...


def choose_parameters(x: ArrayLike, scheme: Scheme, rule: RangeRule | None = None) -> Parameters:
    """Return scales and zero points for `x` by `rule` (`MinMax` unless given): ``(out, in) -> (out, 1)`` per channel.

    An empty or all-zero group gets scale 1. Raises `QuantizationError` for NaN and for infinities: a range with an
    infinite end has no scale.
    """
    values = floats(x)
    if not np.isfinite(values).all():
        raise QuantizationError(
            f"{np.isnan(values).sum()} of {values.size} values are NaN and {np.isinf(values).sum()} infinite: "
            "a scale needs finite values"
        )
    ends = (rule or MinMax()).ends(values, scheme)
    scale, zero_point = grid(ends[..., 0], ends[..., 1], scheme)
    return Parameters(scale, zero_point.astype(np.int32), scheme)


@dataclass(frozen=True)
class MinMax:
    """From the smallest value to the largest: nothing is clipped."""

    def ends(self, x: NDArray[np.float64], scheme: Scheme) -> NDArray[np.float64]:
        """Return low and high of each group."""
        return per_group(_min_max, x, scheme.granularity)


@dataclass(frozen=True)
class Percentile:
    """The central `percent` of the values: 99.9 clips a thousandth of them.

    Of the absolute values in a symmetric scheme, as many on either side in an asymmetric one (ONNX Runtime's
    `PercentileCalibrater` cuts likewise). An end is always one of the values (or zero): nothing is interpolated.
    """

    percent: float = 99.99

    def __post_init__(self) -> None:
        if not 0 < self.percent <= 100:
            raise QuantizationError(f"percent must be in (0, 100], got {self.percent}")

    def ends(self, x: NDArray[np.float64], scheme: Scheme) -> NDArray[np.float64]:
        """Return low and high of each group."""
        # The decimal as it is written: 99.9 / 100 in floating point is more than 999 of 1,000.
        percent = Fraction(str(self.percent))

        def symmetric(values: NDArray[np.float64]) -> NDArray[np.float64]:
            high = _quantile(np.abs(values), percent / 100)
            return np.stack([-high, high], axis=-1)

        def asymmetric(values: NDArray[np.float64]) -> NDArray[np.float64]:
            share = (100 + percent) / 200
            return np.stack([-_quantile(-values, share), _quantile(values, share)], axis=-1)

        return per_group(symmetric if scheme.symmetric else asymmetric, x, scheme.granularity)


@dataclass(frozen=True)
class MSE:
    """Of `candidates` ranges, from min-max down in equal steps, the one with the least sum of squared errors.

    Every group also tries the range that is best for the whole tensor. Hence two theorems: the squared error is never
    above that of min-max, and finer groups never have more of it than the tensor as one group.
    """

    candidates: int = 100

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise QuantizationError(f"candidates must be at least 1, got {self.candidates}")

    def ends(self, x: NDArray[np.float64], scheme: Scheme) -> NDArray[np.float64]:
        """Return low and high of each group."""
        shared = self._search(x.reshape(1, -1), scheme, [])[0]
        return per_group(lambda values: self._search(values, scheme, [shared]), x, scheme.granularity)

    def _search(
        self, values: NDArray[np.float64], scheme: Scheme, others: list[NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        widest = _min_max(values)
        best, least = widest, _squared_error(values, widest, scheme)
        shrunk = (widest * (step / self.candidates) for step in range(self.candidates - 1, 0, -1))
        for ends in (*shrunk, *(np.broadcast_to(other, widest.shape) for other in others)):
            error = _squared_error(values, ends, scheme)
            better = error < least
            best, least = np.where(better[..., None], ends, best), np.where(better, error, least)
        return best


def _min_max(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.stack([values.min(axis=-1, initial=0.0), values.max(axis=-1, initial=0.0)], axis=-1)


def _quantile(values: NDArray[np.float64], share: Fraction) -> NDArray[np.float64]:
    if not values.shape[-1]:
        return np.zeros(values.shape[:-1])
    rank = ceil(values.shape[-1] * share) - 1
    ordered: NDArray[np.float64] = np.partition(values, rank, axis=-1)
    return ordered[..., rank]


def _squared_error(values: NDArray[np.float64], ends: NDArray[np.float64], scheme: Scheme) -> NDArray[np.float64]:
    on = grid(ends[..., :1], ends[..., 1:], scheme)
    largest = np.abs(values).max(axis=-1, initial=0.0, keepdims=True)
    # In units of the group's largest value: the square of a float64 beyond 1e154 is infinite.
    error = (values - decode(encode(values, on, scheme), on)) / np.where(largest > 0, largest, 1.0)
    total: NDArray[np.float64] = np.square(error).sum(axis=-1)
    return total
