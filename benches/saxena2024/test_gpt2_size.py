"""Saxena et al. 2024, III-A, on GPT-2 small: what dynamic range makes of a model whose embedding is its last layer too.

Table XIII has no size and table XIV prints 935 Mb, which is more than weights alone (S17, S18): the ratio is derived.
"""

from __future__ import annotations

import pytest

from compress.claims.bound import about
from compress.claims.claim import claim
from fixtures.published_sizes import gpt2, parameters

pytestmark = pytest.mark.scale("paper")

WEIGHTS = gpt2()
TABLE = next(weight.elements for weight in WEIGHTS if weight.name == "token_embedding")
MATRICES = sum(weight.elements for weight in WEIGHTS if weight.is_matrix)
FLOATS = parameters(WEIGHTS) - MATRICES - TABLE
"""Biases, normalisations, and positions, which a slice reads and no product: they stay float32."""

RATIO = 4 * parameters(WEIGHTS) / (MATRICES + 2 * TABLE + 4 * FLOATS)
"""497.8 MB over 166.0 MB, 3.00: looked up in and multiplied by, the tied table has two int8 copies."""


@claim(
    "saxena2024/III-A/dynamic-range-size",
    about(
        4 * parameters(WEIGHTS), within_fraction=0.01, why="bytes of 124,439,808 float32, the tied table stored once"
    ),
    kind="theorem",
)
@pytest.mark.parametrize("subject", ["gpt2"])
def test_gpt2_stores_its_tied_table_once(subject, compressed):
    return compressed(subject, "float32").raw_bytes


@claim(
    "saxena2024/III-A/dynamic-range-size",
    about(
        RATIO, within_fraction=0.01, why="3.00, two int8 copies of the tied table and float32 positions; 3.9 with one"
    ),
    kind="theorem",
)
@pytest.mark.parametrize("subject", ["gpt2"])
def test_dynamic_range_makes_gpt2_three_times_smaller_and_not_four(subject, compressed):
    return compressed(subject, "dynamic_range").size_ratio
