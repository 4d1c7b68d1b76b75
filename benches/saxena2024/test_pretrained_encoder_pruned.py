"""Saxena et al. 2024, V-C and VI-B, on an encoder that others have trained: MiniLM with parts removed.

Nothing is retrained, and there are no labels: parts are ranked by what the embeddings change by without them, and
fidelity is to the float32 file.
"""

from __future__ import annotations

import numpy as np
import pytest

from compress.claims.bound import Bound, at_least, at_most, between
from compress.claims.claim import claim
from fixtures.minilm import statements

pytestmark = pytest.mark.scale("paper")

WEIGHTS, ROWS, WIDTH = 22_387_200, 30_522, 384
"""Parameters that a float32 file holds, and of them the table of tokens."""
HEAD, NEURON = 3 * (WIDTH + 1) * 32 + 32 * WIDTH, 2 * WIDTH + 1
"""Parameters that go with a head and with a neuron."""

TENTH, HALF = (f"transformer({share}, neurons={share}, epochs=0)" for share in (0.1, 0.5))
GONE = {TENTH: (7, 922), HALF: (36, 4_608)}
"""Of 72 heads and 9,216 neurons."""

UNKNOWN = 100
VOCABULARY = f"vocabulary({UNKNOWN})"


def known_tokens() -> np.ndarray:
    return np.union1d(statements().train_x["token_ids"], [0, UNKNOWN])


@claim(
    "saxena2024/V-C/heads",
    at_least(
        0.95,
        why="rank agreement without a tenth of heads and neurons, 0.974; without half, 0.763",
    ),
    kind="trend",
)
def test_a_tenth_of_heads_and_neurons_is_hardly_missed(compressed, report_table):
    table = report_table(
        "a pretrained encoder, n=240 sentences: embeddings of pruned models against float32's, nothing retrained",
        ("recipe", "cosine", "rank agreement", "size ratio"),
    )
    for recipe in (TENTH, HALF, VOCABULARY):
        cell = compressed("minilm", recipe)
        figures = f"{cell.value('cosine_similarity'):.4f}", f"{cell.score.value:.4f}", f"{cell.size_ratio:.3f}"
        table.rows.append((recipe, *figures))
    return compressed("minilm", TENTH).score


@claim(
    "saxena2024/V-C/heads",
    at_most(0.9, why="rank agreement without half of them and without retraining: that is what retraining is for"),
    kind="trend",
)
def test_half_of_heads_and_neurons_is_missed(compressed):
    return compressed("minilm", HALF).score


def without_parts(recipe: str) -> Bound:
    heads, neurons = GONE[recipe]
    return between(
        1,
        1.002,
        why=f"bytes over 4 for each parameter but those of {heads} heads and {neurons:,} neurons; graph 110 kB",
    )


@claim("saxena2024/VI-B/structured-size", without_parts, kind="theorem")
@pytest.mark.parametrize("recipe", GONE)
def test_a_file_loses_the_bytes_of_its_parts(recipe, compressed):
    heads, neurons = GONE[recipe]
    return compressed("minilm", recipe).raw_bytes / (4 * (WEIGHTS - heads * HEAD - neurons * NEURON))


@claim(
    "saxena2024/VI-B/structured-size",
    between(
        1, 1.002, why="bytes over those of the rows that stay and a number for each that was; 2.07 if zeros stayed"
    ),
    kind="theorem",
)
def test_a_file_loses_the_rows_of_tokens_that_no_text_has(compressed):
    cell = compressed("minilm", VOCABULARY)
    return cell.raw_bytes / (4 * (WEIGHTS - (ROWS - len(known_tokens())) * WIDTH) + 4 * ROWS)


@claim(
    "saxena2024/VI-B/structured-size",
    at_least(0.99999, why="smallest cosine of sentences of known tokens only, n=94: nothing of theirs has gone"),
    kind="theorem",
)
def test_sentences_of_known_tokens_keep_their_embeddings(compressed):
    cell = compressed("minilm", VOCABULARY)
    known = np.isin(statements().evaluation_x["token_ids"], known_tokens()).all(axis=1)
    after, before = (one.measurement.outputs[known] for one in (cell, cell.reference))
    return float((after * before).sum(axis=1).min())
