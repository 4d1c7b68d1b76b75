"""Saxena et al. 2024, tables XI and XII: the sizes of the paper's own XLM-R and BERT-small, heads and neurons removed.

Weights are seeded, and so is what goes; a size is the same whatever was learnt (S14, S16).
"""

from __future__ import annotations

import pytest

from compress.claims.bound import Bound, about
from compress.claims.claim import claim

pytestmark = pytest.mark.scale("paper")

MIB, MB = 2**20, 1e6

SIZES = {
    ("xlm_r", "(3072,12)"): (1.0607e3, MIB, "float32"),
    ("xlm_r", "(2048,8)"): (953, MIB, (1 / 3, 1 / 3)),
    ("xlm_r", "(1024,6)"): (863, MIB, (1 / 2, 2 / 3)),
    ("xlm_r", "(512,12)"): (881, MIB, (0, 5 / 6)),
    ("bert_small", "(512,4)"): (19.2, MB, "float32"),
    ("bert_small", "(128,2)"): (17.6, MB, (0, 3 / 4)),
    ("bert_small", "(64,2)"): (17.3, MB, (0, 7 / 8)),
    ("bert_small", "(256,1)"): (17.6, MB, (1 / 2, 1 / 2)),
    ("bert_small", "(64,1)"): (16.8, MB, (1 / 2, 7 / 8)),
}
"""Printed size, its unit, and the fractions of heads and neurons that go. XLM-R's first is printed 1.1 Gb, decimal."""


def of(subject: str, row: str) -> str:
    cut = SIZES[subject, row][2]
    if isinstance(cut, str):
        return cut
    return f"transformer({cut[0]:.4g}, neurons={cut[1]:.4g}, iterations=1, epochs=0, uneven=false)"


def printed(subject: str, row: str) -> Bound:
    size, unit, _ = SIZES[subject, row]
    name = "MiB" if unit == MIB else "MB"
    why = f"bytes: {size:g} {name}, tables XI and XII by the units and the head counts that fit them (S14, S16)"
    return about(size * unit, within_fraction=0.01, why=why)


@claim(
    "saxena2024/VI-B/structured-size",
    "saxena2024/V-C/xlmr-baseline",
    "saxena2024/V-C/bert-small-baseline",
    printed,
    kind="number",
)
@pytest.mark.parametrize(("subject", "row"), SIZES)
def test_a_pruned_encoder_weighs_what_the_table_says(subject, row, compressed):
    return compressed(subject, of(subject, row)).raw_bytes
