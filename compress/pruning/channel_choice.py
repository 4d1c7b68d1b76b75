"""Which channels to remove for a share of the multiply-adds, greedily: the least important for what it saves, first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from compress.curve import record
from compress.errors import RecipeError
from compress.pruning.channel_groups import Channels, Numbers
from compress.pruning.importance import Importance

LEAST_KEPT_FRACTION = 0.1
"""Of any group of channels that run through the same weights: a layer must not become a needle's eye."""


def granularity(width: int) -> int:
    """Return what the width of a group of `width` channels is to stay a multiple of.

    XNNPACK (LiteRT) and MLAS (ONNX Runtime) compute channels in blocks of 8 or 16 and fill the last one up: a width
    of 33 takes the time of 40. Blocks of narrow layers would be too coarse a choice, so theirs are 4, or single.
    """
    return 8 if width >= 64 else 4 if width >= 16 else 1


class Costs:
    """Multiply-adds of a network as a function of how many channels are left along each of its slices."""

    def __init__(self, channels: Channels) -> None:
        self.factors = np.array([product.factor for product in channels.products], np.float64)
        # one slice more, of width 1, for kernels whose axes are fewer
        widest = max((len(product.slices) for product in channels.products), default=0)
        none = len(channels.slices)
        self.axes = np.array(
            [[*product.slices, *[none] * (widest - len(product.slices))] for product in channels.products], np.int64
        ).reshape(-1, widest)
        self.widths = np.array([*(len(each.numbers) for each in channels.slices), 1], np.int64)

    def multiply_adds(self, widths: NDArray[np.int64]) -> int:
        """Return the multiply-adds of a network of these `widths`, ``(slices + 1,)``."""
        return int(self.factors @ widths[self.axes].prod(axis=1))


@dataclass
class _Group:
    """Channels that run through the same weights, the least important first; the first ``gone`` are removed."""

    numbers: Numbers
    importance: Importance
    occurrences: NDArray[np.int64]
    """How often one of them occurs along each slice."""
    gone: int = 0
    first_saving: float = 0.0

    @property
    def left(self) -> int:
        return len(self.numbers) - self.gone

    @property
    def next(self) -> int:
        """How many go at a time; 0 when no more can."""
        block = granularity(len(self.numbers))
        count = self.left % block or block
        least = max(1, int(np.ceil(LEAST_KEPT_FRACTION * len(self.numbers))))
        return count if self.left - count >= least else 0


def choose_channels(
    channels: Channels, importance: Importance, macs_removed_fraction: float, total: int
) -> NDArray[np.bool_]:
    """Return of each numbered channel whether it stays, ``(len(channels.fixed),)``.

    At least the fraction of the `total` multiply-adds is gone then, those of kernels that no channel runs through
    included. What is left after each choice is recorded. Raises `RecipeError` when even the narrowest network has more.
    """
    costs = Costs(channels)
    groups = _groups(channels, importance)
    widths = costs.widths.copy()
    whole = cost = costs.multiply_adds(widths)
    aim = whole - macs_removed_fraction * total
    for group in groups:
        group.first_saving = whole - costs.multiply_adds(widths - group.occurrences)
    choices = 0

    def tell() -> None:
        left = len(channels.fixed) - sum(group.gone for group in groups)
        share = 100 * (total - whole + costs.multiply_adds(widths)) / (total or 1)
        record({"channels left": left, "multiply-adds left, %": share}, at=choices, over="choices of what to remove")

    tell()
    while cost > aim:
        best, best_rank = None, np.inf
        for group in groups:
            count = group.next
            if count == 0:
                continue
            saved = cost - costs.multiply_adds(widths - count * group.occurrences)
            rank = _rank(group, count, saved)
            if rank < best_rank:
                best, best_rank = group, rank
        if best is None:
            raise RecipeError(
                f"macs_removed_fraction={macs_removed_fraction} cannot be reached: with the fewest channels in every "
                f"layer that can lose some, {(whole - cost) / (total or 1):.3f} of the multiply-adds are gone"
            )
        count = best.next
        best.gone += count
        widths -= count * best.occurrences
        cost = costs.multiply_adds(widths)
        choices += 1
        tell()
    _give_back(groups, costs, widths, aim)
    choices += 1
    tell()
    kept = np.ones(len(channels.fixed), np.bool_)
    for group in groups:
        kept[group.numbers[: group.gone]] = False
    return kept


def _rank(group: _Group, count: int, saved: int) -> float:
    """Return what the next `count` channels of a group are worth for the multiply-adds that they cost; low goes first.

    Importance and saving are those of a channel relative to the group's own at the start, and what is left of a group
    gains in worth as it gets narrow: channels that are all alike would leave every layer at the same fraction.
    """
    worth = group.importance[group.gone : group.gone + count].mean() / (group.importance.mean() or 1.0)
    left_fraction = (group.left - count / 2) / len(group.numbers)
    return float(worth / left_fraction**2 / (saved / count / group.first_saving))


def _give_back(groups: list[_Group], costs: Costs, widths: NDArray[np.int64], aim: float) -> None:
    """Restore what the last, coarse steps took beyond the aim, the most important channels first."""
    for group in sorted(groups, key=lambda each: -each.importance[: each.gone].max(initial=0)):
        while group.gone:
            block = granularity(len(group.numbers))
            count = min(block, group.gone)
            wider = widths + count * group.occurrences
            if costs.multiply_adds(wider) > aim:
                break
            group.gone -= count
            widths[:] = wider


def _groups(channels: Channels, importance: Importance) -> list[_Group]:
    """Return the channels that may go, by the slices that they run through."""
    runs: dict[int, list[tuple[int, int]]] = {}
    for index, each in enumerate(channels.slices):
        for number, count in zip(*np.unique(each.numbers, return_counts=True), strict=True):
            if not channels.fixed[number]:
                runs.setdefault(int(number), []).append((index, int(count)))
    together: dict[tuple[tuple[int, int], ...], list[int]] = {}
    for number, occurrences in runs.items():
        together.setdefault(tuple(occurrences), []).append(number)
    groups = []
    for runs_through, numbers in together.items():
        along = np.zeros(len(channels.slices) + 1, np.int64)
        for index, count in runs_through:
            along[index] = count
        order = np.argsort(importance[numbers], kind="stable")
        ordered = np.array(numbers, np.int64)[order]
        groups.append(_Group(ordered, importance[ordered], along))
    return groups
