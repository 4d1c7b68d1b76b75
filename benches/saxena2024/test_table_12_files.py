"""Saxena et al. 2024, table XII: files of the paper's own BERT-small, with its heads and neurons really removed.

Weights are seeded, and so is what goes; a size is the same whatever was learnt (S16). Heads are of 64, two a layer. The
converter leaves out the positions that no text of 128 tokens reads, 384 of 512: their bytes are added to each file's.
"""

from __future__ import annotations

import pytest

from compress.claims.bound import Bound, about
from compress.claims.claim import claim
from fixtures.bert_small import BASE

pytestmark = pytest.mark.scale("paper")

ROWS = {
    "(512,4)": (19.2, None),
    "(128,2)": (17.6, (0, 3 / 4)),
    "(64,2)": (17.3, (0, 7 / 8)),
    "(256,1)": (17.6, (1 / 2, 1 / 2)),
    "(64,1)": (16.8, (1 / 2, 7 / 8)),
}
"""Printed size in MB, and the fractions of heads and neurons that go."""

UNREAD_BYTES = 4 * (BASE.positions - BASE.length) * BASE.width


def recipe(row: str) -> str:
    cut = ROWS[row][1]
    if cut is None:
        return "float32"
    return f"transformer({cut[0]:.4g}, neurons={cut[1]:.4g}, iterations=1, epochs=0, uneven=false)"


def printed(row: str) -> Bound:
    return about(1e6 * ROWS[row][0], within_fraction=0.01, why="bytes with all positions; decimal MB, two heads (S16)")


@claim("saxena2024/VI-B/structured-size", "saxena2024/table-XII", printed, kind="number")
@pytest.mark.parametrize("row", ROWS)
def test_a_pruned_bert_small_weighs_what_the_table_says(row, compressed):
    return compressed("bert_small", recipe(row)).raw_bytes + UNREAD_BYTES
