"""Ishtiaq et al. 2021, Table II and III-B, measured: the sizes of AlexNet, 58,327,818 parameters, seeded, not trained.

Pruned without retraining, so of sizes and zeros only. The printed baseline holds Adam's slots (audit I03); factors here
are of the gzipped weights, as of I04, and zeros are counted over all kernels and in each (I06).
"""

from __future__ import annotations

import math

import pytest

from benches.ishtiaq2021.grid import largest_factor, least_factor, printed, recipe
from compress.claims.bound import Bound, Estimate, at_least, at_most, between
from compress.claims.claim import claim
from compress.workbench import Cell

pytestmark = pytest.mark.scale("paper")

SUBJECT = "alexnet"
GRID = list(printed("II"))
WEIGHTS = 58_327_818
KERNELS = 58_312_736
"""Weights of the five convolutions and three dense layers; biases and normalisations are the rest."""

SQUARE_LAYER = 4096 * 4096


def over(cells):
    return pytest.mark.parametrize(("sparsity", "bits"), cells, ids=[f"{100 * s:.0f}%-{b}bit" for s, b in cells])


def variant(compressed, sparsity: float, bits: int) -> Cell:
    return compressed(SUBJECT, recipe(sparsity, bits, retrained=False))


def dense_gzip_bytes(compressed) -> int:
    """Return the size of the dense weights alone, without optimizer, gzipped: what factors are of."""
    return compressed(SUBJECT, "float32@keras").gzip_bytes


def with_one_layer_dense(compressed, sparsity: float, bits: int) -> float:
    """Return the gzipped bytes of a variant whose 4096x4096 layer is left as it is in the dense file."""
    share = SQUARE_LAYER / KERNELS
    dense, pruned = (variant(compressed, one, bits).gzip_bytes for one in (0, sparsity))
    return share * dense + (1 - share) * pruned


def as_labelled(sparsity: float, bits: int) -> Bound:
    rounded = 0.02 if bits == 8 else 0.0005
    why = "the label, over all kernels; int8 rounds the smallest weights to zero; one layer left out would give 0.705"
    return between(sparsity - 0.0005, sparsity + rounded, why=why)


@claim("ishtiaq2021/table-II", as_labelled, kind="number")
@over(GRID)
def test_zeros_of_alexnet_are_those_of_the_label(sparsity, bits, compressed, report_table):
    cell, paper = variant(compressed, sparsity, bits), printed("II")[sparsity, bits]
    dense = dense_gzip_bytes(compressed)
    report_table(
        "Ishtiaq et al., Table II: gzipped size of AlexNet, bytes; factors of the gzipped weights, and as printed of "
        "weights and slots",
        (
            "variant",
            "bytes: paper",
            "here",
            "one layer dense (I06)",
            "factor: paper",
            "of weights (I04)",
            "here",
            "zeros",
        ),
    ).rows.append(
        (
            paper.name,
            f"{paper.size_bytes:,}",
            f"{cell.gzip_bytes:,}",
            f"{with_one_layer_dense(compressed, sparsity, bits):,.0f}",
            "-" if paper.reduction is None else f"{paper.reduction:.2f}",
            f"{dense / paper.size_bytes:.2f}",
            f"{dense / cell.gzip_bytes:.2f}",
            f"{cell.sparsity:.2%}",
        )
    )
    if bits == 32:
        kernels = sorted((part for part in cell.parts if len(part.shape) >= 2), key=lambda part: -part.elements)
        report_table(
            "AlexNet: zeros of each kernel, the largest first, at one sparsity for all of them (I06)",
            ("sparsity", *(f"{part.elements:,} weights" for part in kernels)),
        ).rows.append((f"{sparsity:.0%}", *(f"{part.zeros / part.elements:.2%}" for part in kernels)))
    return cell.sparsity


@claim(
    "ishtiaq2021/table-II",
    "ishtiaq2021/III-B/alexnet-42x",
    between(
        0.95, 1.05, why="gzipped checkpoint with Adam's slots over the printed baseline (I03); weights alone: 0.33"
    ),
    kind="number",
)
def test_the_printed_baseline_is_a_gzipped_checkpoint_with_slots(compressed, report_table):
    slots, weights = compressed(SUBJECT, "checkpoint@keras"), compressed(SUBJECT, "float32@keras")
    table = report_table(
        "AlexNet: what the printed baseline of 656,296,182 bytes is of (I03); slots are those after one batch",
        ("file", "bytes", "gzipped", "gzipped bytes a parameter"),
    )
    for name, cell in (("weights and Adam's slots", slots), ("weights", weights)):
        table.rows.append((name, f"{cell.raw_bytes:,}", f"{cell.gzip_bytes:,}", f"{cell.gzip_bytes / WEIGHTS:.3f}"))
    return slots.gzip_bytes / printed("II")[0, 32].size_bytes


def as_zeros_and_bits_allow(sparsity: float, bits: int) -> Bound:
    low, high = (bound(sparsity, bits, KERNELS, 3.7 * WEIGHTS) for bound in (least_factor, largest_factor_or_none))
    return between(
        low, high, why="kept weights whole, 3 bits a place, 3.7 bytes of each before; random bits from above"
    )


def largest_factor_or_none(sparsity: float, bits: int, weights: int, baseline_bytes: float) -> float:
    """Return what no coder exceeds; of integers, which no bits are known to be random of, infinity."""
    return math.inf if bits == 8 else largest_factor(sparsity, bits, weights, baseline_bytes)


@claim("ishtiaq2021/table-II", as_zeros_and_bits_allow, kind="number")
@over(GRID[1:])
def test_factors_of_the_weights_are_what_zeros_and_bits_allow(sparsity, bits, compressed):
    return dense_gzip_bytes(compressed) / variant(compressed, sparsity, bits).gzip_bytes


@claim(
    "ishtiaq2021/III-B/alexnet-42x",
    "ishtiaq2021/III-B/alexnet-combined",
    at_least(13.8, why="41.97 printed, 13.8 of the weights alone (I04), reached with 99 % of all kernels, not of 70 %"),
    kind="number",
)
def test_99_percent_and_int8_shrink_the_weights_13_times(compressed):
    return dense_gzip_bytes(compressed) / variant(compressed, 0.99, 8).gzip_bytes


@claim(
    "ishtiaq2021/III-B/alexnet-42x",
    at_least(0.99, why="zeros over all kernels: 99 % as labelled, where the printed sizes tell of 70 % (I06)"),
    kind="number",
)
def test_the_99_percent_are_of_all_kernels(compressed):
    return variant(compressed, 0.99, 8).sparsity


@claim(
    "ishtiaq2021/table-II",
    "ishtiaq2021/III-B/alexnet-42x",
    between(
        0.85,
        1.15,
        why="bytes over printed, were the 4096x4096 layer dense (I06: 70.5 % for 99); pruned like all 0.06 to 0.98",
    ),
    kind="refuted",
)
@over([cell for cell in GRID if cell[0] > 0])
def test_printed_files_are_those_of_one_layer_left_dense(sparsity, bits, compressed):
    value = with_one_layer_dense(compressed, sparsity, bits) / printed("II")[sparsity, bits].size_bytes
    zeros = sparsity * (1 - SQUARE_LAYER / KERNELS)
    return Estimate(value, value, value, note=f"zeros: {zeros:.1%} of all kernels")


@claim(
    "ishtiaq2021/III-B/alexnet-single",
    at_most(
        5.5, why="13.31 printed at 8 bits; of the weights alone 4 to 5: a quarter of the bits and what deflates of 8"
    ),
    kind="refuted",
)
def test_8_bits_alone_make_the_weights_five_times_smaller_at_most(compressed):
    return dense_gzip_bytes(compressed) / variant(compressed, 0, 8).gzip_bytes
