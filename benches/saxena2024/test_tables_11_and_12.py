"""Saxena et al. 2024, V-C, tables XI and XII, figure 14: heads and neurons removed from slim encoders (S14 to S16).

XLM-R tells paraphrases in four languages, BERT-small reports of disasters, on texts that grammars of our own write.
Cuts are the paper's fractions of the feed-forward neurons (N) and of the heads (H), by the gradient of the loss, in
four iterations with retraining. Every accuracy stands beside a dense control that was retrained as long.
"""

from __future__ import annotations

import itertools

import pytest

from benches.saxena2024.latency import latency_ratio
from compress.claims.bound import at_least, at_most, between, is_true
from compress.claims.claim import claim

pytestmark = pytest.mark.scale("embedded")

CUTS = {
    "xlm_r": {
        "(2N/3, 2H/3)": (1 / 3, 1 / 3),
        "(N/3, H/2)": (1 / 2, 2 / 3),
        "(N/6, H)": (0, 5 / 6),
    },
    "bert_small": {
        "(N/4, H)": (0, 3 / 4),
        "(N/8, H)": (0, 7 / 8),
        "(N/2, H/2)": (1 / 2, 1 / 2),
        "(N/8, H/2)": (1 / 2, 7 / 8),
    },
}
"""The rows of tables XI and XII, by the fractions of heads and neurons that go; of XII as its sizes say (S16)."""

PRINTED = {"xlm_r": ("XI", [94.65, 94.2, 85.15, 48.05]), "bert_small": ("XII", [95.80, 91.63, 90.69, 84.64, 79.79])}
ROWS = [(subject, row) for subject, rows in CUTS.items() for row in rows]
THIRDS = ("xlm_r", "(2N/3, 2H/3)")

LAYERS = {"xlm_r": 3, "bert_small": 4}
HEADS = {"xlm_r": 6, "bert_small": 4}
NEURONS = {"xlm_r": 192, "bert_small": 128}
WIDTH = {"xlm_r": 96, "bert_small": 64}


def recipe(subject: str, row: str, more: str = "") -> str:
    heads, neurons = CUTS[subject][row]
    return f"transformer({heads:.4g}, neurons={neurons:.4g}{more})"


def removed_parameters(subject: str, row: str) -> int:
    """Return the parameters of the heads and neurons that go (S14): 4 s w + 3 s a head, 2 w + 1 a neuron."""
    heads, neurons = CUTS[subject][row]
    width, size = WIDTH[subject], WIDTH[subject] // HEADS[subject]
    of_heads = round(LAYERS[subject] * HEADS[subject] * heads) * (4 * size * width + 3 * size)
    return of_heads + round(LAYERS[subject] * NEURONS[subject] * neurons) * (2 * width + 1)


@claim(
    "saxena2024/VI-B/structured-size",
    between(0.98, 1.02, why="bytes gone over 4 bytes a parameter of the parts removed (S14); masks would leave 0"),
    kind="theorem",
)
@pytest.mark.parametrize(("subject", "row"), ROWS)
def test_the_file_loses_the_bytes_of_what_was_removed(subject, row, compressed, report_table):
    cell, dense, control = (compressed(subject, one) for one in (recipe(subject, row), "float32", "retrain"))
    printed = PRINTED[subject][1]
    place = list(CUTS[subject]).index(row) + 1
    ratio = latency_ratio(cell, dense)
    report_table(
        "heads and neurons removed from encoders, retrained: top-1 in %, n=3,000; tables XI and XII are of other data",
        ("subject", "left", "bytes", "left", "latency", "dense", "control", "pruned", "lost", "lost, printed"),
    ).rows.append(
        (
            subject,
            row,
            f"{cell.raw_bytes:,}",
            f"{cell.raw_bytes / dense.raw_bytes:.1%}",
            f"{ratio.value:.2f}x",
            *(f"{one.accuracy.value:.1f}" for one in (dense, control, cell)),
            f"{cell.accuracy_drop.value:+.1f}",
            f"{printed[0] - printed[place]:+.1f}",
        )
    )
    return (dense.raw_bytes - cell.raw_bytes) / (4 * removed_parameters(subject, row))


@claim(
    "saxena2024/V-C/xlmr-2048-8",
    "saxena2024/V-C/heads",
    "saxena2024/VI-C/roberta-witness",
    at_most(0.5, why="points at two thirds of heads and neurons; 0.45 in Table XI (S15); unretrained it is tens"),
    kind="trend",
)
def test_two_thirds_of_heads_and_neurons_are_enough(compressed):
    return compressed("xlm_r", recipe(*THIRDS)).accuracy_drop


@claim(
    "saxena2024/V-C/xlmr-2048-8",
    at_most(0.95, why="the latency of the dense file; 0.66 in Table XI, of a network whose blocks are more of it"),
    kind="trend",
)
def test_two_thirds_of_heads_and_neurons_run_faster(compressed):
    return latency_ratio(compressed("xlm_r", recipe(*THIRDS)), compressed("xlm_r", "float32"))


@claim(
    "saxena2024/VI-B/threshold",
    "saxena2024/V-C/xlmr-further",
    at_least(
        5,
        why="points lost where every layer keeps a sixth of its neurons and is not retrained, ten times what two "
        "thirds may lose: Table XI prints 46.6, to below chance (S15), but attention does most of this task",
    ),
    kind="trend",
)
def test_a_sixth_of_the_neurons_is_too_few_where_nothing_is_retrained(compressed):
    return compressed("xlm_r", recipe("xlm_r", "(N/6, H)", ", uneven=false, epochs=0")).accuracy_drop


@claim(
    "saxena2024/V-C/xlmr-further",
    is_true(why="no deeper cut is above a shallower one by more than n=3,000 can tell"),
    kind="trend",
)
@pytest.mark.parametrize(
    ("subject", "rows"),
    [("xlm_r", ["(2N/3, 2H/3)", "(N/3, H/2)"]), ("bert_small", ["(N/4, H)", "(N/8, H)", "(N/8, H/2)"])],
)
def test_deeper_cuts_are_not_better(subject, rows, compressed):
    cells = [compressed(subject, recipe(subject, row)) for row in rows]
    return all(more.accuracy_drop_from(less).high >= 0 for less, more in itertools.pairwise(cells))


@claim(
    "saxena2024/VI-B/retrain-gain",
    at_least(3, why="points that retraining brings back at (N/3, H/2), of 5 lost; 0 if removal alone did it"),
    kind="trend",
)
def test_what_accuracy_is_left_comes_from_retraining(compressed):
    bare = compressed("xlm_r", recipe("xlm_r", "(N/3, H/2)", ", epochs=0"))
    return bare.accuracy_drop_from(compressed("xlm_r", recipe("xlm_r", "(N/3, H/2)")))


@claim(
    "saxena2024/VI-B/structured-size",
    at_most(
        0.4, why="points; n=3,000 leaves 0.08 where no answer changes: texts of tokens that stay are answered the same"
    ),
    kind="trend",
)
@pytest.mark.parametrize(("subject", "unknown"), [("xlm_r", 3), ("bert_small", 1)])
def test_tokens_that_training_never_uses_can_go(subject, unknown, compressed):
    return compressed(subject, f"vocabulary({unknown})").accuracy_drop
