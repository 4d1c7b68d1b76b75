"""The grid of Ishtiaq et al. 2021, tables I and II: six sparsities by three precisions, as printed and as recipes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compress.claims.paper import Paper, load_paper

PRECISIONS = {32: "float32", 16: "float16", 8: "int8"}
"""Bits of a weight -> the export step that stores it so ("full-integer quantization" at 8 bits, III-A)."""

NOISE_BITS = {32: 24, 16: 11}
"""Bits of a float that look random in trained weights: sign and mantissa. Exponents compress (audit I05)."""

POSITION_BITS = 3.0
"""What deflate spends at most, measured from 50 % up, on telling where the zeros are, a weight."""


@dataclass(frozen=True)
class Variant:
    """One row of table I or II. ``size_bytes`` is the gzipped file's, ``accuracy`` in percent, the delta in points."""

    sparsity: float
    bits: int
    size_bytes: int
    accuracy: float
    reduction: float | None
    delta_points: float | None

    @property
    def name(self) -> str:
        """The variant as the report names it, ``90 % / 8 bit``."""
        return f"{100 * self.sparsity:.0f} % / {self.bits} bit"

    @property
    def is_combined(self) -> bool:
        """Whether it is both pruned and quantized."""
        return self.sparsity > 0 and self.bits < 32


@cache
def paper() -> Paper:
    """Return the paper's tables as printed."""
    return load_paper(Path(__file__).parent / "paper.toml")


@cache
def printed(table: str) -> dict[tuple[float, int], Variant]:
    """Return the 18 rows of table ``I`` or ``II`` by sparsity and bits, the baseline (0, 32) first."""
    return {
        (row[0], row[1]): Variant(
            row[0], row[1], row[2], row[4], *(None if cell == "-" else cell for cell in row[3::2])
        )
        for row in paper().table(f"ishtiaq2021/table-{table}").rows
    }


def recipe(sparsity: float, bits: int, *, retrained: bool = True) -> str:
    """Return the recipe of a variant: ``recipe(0.9, 8) -> "prune(0.9) | int8"``, ``recipe(0, 16) -> "float16"``.

    Not `retrained`, it is of sizes, which no calibration changes: ``prune(0.9, epochs=0) | int8(10)``.
    """
    export = PRECISIONS[bits]
    if not sparsity:
        return export
    if retrained:
        return f"prune({sparsity:g}) | {export}"
    return f"prune({sparsity:g}, epochs=0) | {'int8(10)' if bits == 8 else export}"


def control(bits: int) -> str:
    """Return the recipe of the dense control: retrained for as many epochs as a pruned variant, stored alike."""
    return f"retrain | {PRECISIONS[bits]}"


def least_factor(sparsity: float, bits: int, weights: float, baseline_bytes: float) -> float:
    """Return the reduction factor that deflate reaches at least: kept weights stored whole, and their positions."""
    return baseline_bytes / (weights * ((1 - sparsity) * bits + POSITION_BITS) / 8)


def largest_factor(sparsity: float, bits: int, weights: float, baseline_bytes: float) -> float:
    """Return the reduction factor that no coder exceeds: of the kept weights the bits that look random."""
    return baseline_bytes / (weights * (1 - sparsity) * NOISE_BITS[bits] / 8)
