"""Saxena et al. 2024, V-A and VI-B, tables VIII and IX, on trained slim classifiers: unstructured sparsity (S11, S12).

Every accuracy stands beside a dense control that was retrained as long over the same batches: the paper has none, and
takes what retraining gained for a gain of pruning.
"""

from __future__ import annotations

import itertools

import pytest

from benches.saxena2024.classifiers import both_pruned
from compress.claims.bound import Bound, Estimate, at_least, at_most, between, exactly, is_true
from compress.claims.claim import claim
from compress.measure.figure import Line
from compress.measure.histogram import histogram

pytestmark = pytest.mark.scale("embedded")

TABLES = {"mobilenet_v2": "saxena2024/table-VIII", "resnet50": "saxena2024/table-IX"}
SPARSITIES = [0.6, 0.75, 0.9]
SWEEP = [0.6, 0.75, 0.9, 0.95, 0.99]
LOST_POINTS = 2
"""Points beyond which accuracy counts as lost, in the sweep that looks for the threshold."""

METHODS = {
    "polynomial": "prune({}, scope=lamp)",
    "constant": "prune({}, scope=lamp, schedule=constant)",
    "one shot, no retraining": "prune({}, scope=lamp, epochs=0)",
    "TFMOT": "tfmot_prune({}, epochs=1)",
}
MOST_LOSS_POINTS = {0.6: 0.5, 0.75: 0.5, 0.9: 2.0}


def pruned(sparsity: float, method: str = "polynomial") -> str:
    return METHODS[method].format(sparsity)


def little(sparsity: float) -> Bound:
    why = f"points below the dense control at {sparsity:.0%}, n=3,000; without retraining 10 to 85 (S12)"
    return at_most(MOST_LOSS_POINTS[sparsity], why=why)


@claim("saxena2024/V-A/near-zero", "saxena2024/VI-B/overparameterised", little, kind="trend")
@both_pruned
@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_most_weights_can_go_when_the_others_are_retrained(subject, sparsity, compressed, paper_table, report_table):
    printed = {row[0] / 100: row[1] for row in paper_table(TABLES[subject]).rows}
    cell, control, dense = (compressed(subject, one) for one in (pruned(sparsity), "retrain", "float32"))
    beside = [compressed(subject, pruned(sparsity, "one shot, no retraining"))]
    beside += [compressed(subject, recipe) for recipe in COMPARED.get((subject, sparsity), [])]
    report_table(
        "classifiers of digits in colour, pruned: top-1 in %, n=3,000; printed is of 10 of ImageNet's classes",
        (
            "subject",
            "sparsity",
            "printed",
            "printed dense",
            "dense",
            "dense control",
            "pruned",
            "against control",
            "one shot",
            "others",
        ),
    ).rows.append(
        (
            subject,
            f"{cell.sparsity:.2%}",
            f"{printed[sparsity]:.2f}",
            f"{printed[0]:.2f}",
            *(f"{one.accuracy.value:.2f}" for one in (dense, control, cell)),
            f"{-cell.accuracy_drop_from(control).value:+.2f}",
            f"{beside[0].accuracy.value:.2f}",
            ", ".join(f"{one.recipe}: {one.accuracy.value:.2f}" for one in beside[1:]) or "-",
        )
    )
    return cell.accuracy_drop_from(control)


COMPARED = {
    ("mobilenet_v2", 0.75): [pruned(0.75, "TFMOT")],
    ("resnet50", 0.75): [pruned(0.75, "TFMOT")],
    ("mobilenet_v2", 0.9): [pruned(0.9, "constant")],
    ("resnet50", 0.9): [pruned(0.9, "constant")],
}


@claim(
    "saxena2024/V-A/gain",
    "saxena2024/VI-B/retrain-gain",
    at_most(0.4, why="points gained over a dense control of equal epochs; 4.61 and 8.15 printed, without one (S12)"),
    kind="refuted",
)
@both_pruned
@pytest.mark.parametrize("sparsity", [0.6, 0.75])
def test_pruning_gains_nothing_over_the_dense_control(subject, sparsity, compressed):
    return compressed(subject, "retrain").accuracy_drop_from(compressed(subject, pruned(sparsity)))


@claim(
    "saxena2024/V-A/retraining-cause",
    at_least(
        0.3, why="share of one-shot pruning's loss at 90 % that retraining alone brings back; 0 if it were pruning"
    ),
    kind="trend",
)
@both_pruned
def test_what_accuracy_there_is_comes_from_retraining(subject, compressed):
    once, again = compressed(subject, pruned(0.9, "one shot, no retraining")), compressed(subject, pruned(0.9))
    back, lost = once.accuracy_drop_from(again), once.accuracy_drop
    return Estimate(back.value / lost.value, back.low / lost.value, back.high / lost.value, "of the loss", back.n)


@claim(
    "saxena2024/V-A/mobilenet-90-drop",
    at_least(0, why="points that the small MobileNet loses more at 90 % than at 75 %, n=3,000; 5.00 printed (S12)"),
    kind="trend",
)
def test_mobilenet_loses_near_90_percent(compressed):
    return compressed("mobilenet_v2", pruned(0.9)).accuracy_drop_from(compressed("mobilenet_v2", pruned(0.75)))


@claim(
    "saxena2024/VI-B/threshold",
    "saxena2024/V-A/irreversible",
    is_true(why=f"the sweep finds the sparsity from which on retraining leaves {LOST_POINTS} points and more lost"),
    kind="trend",
)
@both_pruned
def test_each_network_has_a_sparsity_beyond_which_retraining_does_not_help(
    subject, compressed, report_table, report_figure
):
    dense, control = compressed(subject, "float32"), compressed(subject, "retrain")
    lost = {sparsity: compressed(subject, pruned(sparsity)).accuracy_drop_from(control) for sparsity in SWEEP}
    beyond = [sparsity for sparsity, drop in lost.items() if drop.low > LOST_POINTS]
    threshold = min(beyond, default=None)
    report_table(
        f"sweep of sparsity: points lost to a dense control of equal epochs; beyond {LOST_POINTS} it counts as lost",
        ("subject", "dense", "control", *(f"{sparsity:.0%}" for sparsity in SWEEP), "lost from"),
    ).rows.append(
        (
            subject,
            f"{dense.accuracy.value:.2f}",
            f"{control.accuracy.value:.2f}",
            *(f"{drop.value:+.2f}" for drop in lost.values()),
            "-" if threshold is None else f"{threshold:.0%}",
        )
    )
    report_figure(
        "sweep of sparsity: accuracy after retraining",
        x="zeros, %",
        y="top-1, %",
        note="At 0 % stands the dense control, retrained over the same batches for as many epochs.",
    ).add(
        subject,
        Line(
            [0, *(100 * sparsity for sparsity in SWEEP)],
            [control.accuracy.value, *(compressed(subject, pruned(one)).accuracy.value for one in SWEEP)],
        ),
    )
    found = threshold is not None and lost[SWEEP[0]].high < LOST_POINTS
    return Estimate(float(found), float(found), float(found), note=f"lost from {threshold} on")


@claim(
    "saxena2024/VI-B/threshold",
    is_true(why="each step of sparsity from 90 % on loses on the one before, or ties within what n=3,000 can tell"),
    kind="trend",
)
@both_pruned
def test_beyond_90_percent_every_step_loses_more(subject, compressed):
    cells = [compressed(subject, pruned(sparsity)) for sparsity in SWEEP if sparsity >= 0.9]
    return all(more.accuracy_drop_from(less).high > 0 for less, more in itertools.pairwise(cells)) and (
        cells[-1].accuracy_drop_from(cells[0]).low > 0
    )


@claim(
    "saxena2024/VI-B/unstructured-size",
    "saxena2024/VII/toolkit-no-size-claim",
    exactly(1, why="a zero takes its 32 bits like any other value; 2.93 and 2.98 printed are Adam's slots (S11)"),
    kind="theorem",
)
@both_pruned
@pytest.mark.parametrize("recipe", [*(pruned(sparsity) for sparsity in SPARSITIES), pruned(0.75, "TFMOT")])
def test_sparsity_leaves_the_raw_size_as_it_was(subject, recipe, compressed):
    return compressed(subject, recipe).size_ratio


def as_labelled(sparsity: float, recipe: str) -> Bound:
    if recipe.startswith("tfmot"):
        why = "TFMOT prunes no depthwise kernel; with its default of every 100 steps it would be 0"
        return between(sparsity - 0.05, sparsity + 0.001, why=why)
    return between(
        sparsity - 0.001, sparsity + 0.001, why="the label, over all kernels; refilled in retraining it would be 0"
    )


@claim("saxena2024/VI-B/unstructured-size", as_labelled, kind="theorem")
@both_pruned
@pytest.mark.parametrize(
    ("sparsity", "recipe"), [*((one, pruned(one)) for one in SPARSITIES), (0.75, pruned(0.75, "TFMOT"))]
)
def test_the_zeros_are_those_of_the_label(subject, sparsity, recipe, compressed):  # noqa: ARG001 - the bound's
    return compressed(subject, recipe).sparsity


@claim(
    "saxena2024/VII/gradual",
    at_least(-0.3, why="points that pruning by and by saves at 90 % over all of it at the first step, n=3,000"),
    kind="trend",
)
@both_pruned
def test_pruning_by_and_by_costs_no_more_than_all_at_once(subject, compressed):
    return compressed(subject, pruned(0.9, "constant")).accuracy_drop_from(compressed(subject, pruned(0.9)))


LAYERS = {"mobilenet_v2": "conv_2d_13.weights", "resnet50": "conv_2d_16.weights"}
"""A layer of the middle, by its place in the file: a 1x1 expansion, and the 3x3 convolution of a bottleneck."""


@claim(
    "saxena2024/V-A/near-zero",
    at_least(0.5, why="share of a layer's weights within a third of their largest: a uniform spread would have 0.33"),
    kind="trend",
)
@both_pruned
def test_most_trained_weights_lie_near_zero(subject, compressed, report_table, report_figure):
    table = report_table(
        "weights of a layer before and after pruning (figures 3 to 7): counts over 31 bins from -max to +max",
        ("subject", "layer", "recipe", "zeros", "standard deviation", "histogram"),
    )
    figure = report_figure(
        f"weights of {subject}, {LAYERS[subject]}, before and after pruning (figures 3 to 7)",
        x="weight",
        y="weights in a bin",
        note="Exact zeros are told apart: the spike that pruning leaves there would flatten all the rest.",
    )
    recipes = ("float32", pruned(0.6), pruned(0.75), pruned(0.9))
    found = {recipe: compressed(subject, recipe).weights(LAYERS[subject]) for recipe in recipes}
    largest = float(max(abs(weights).max() for weights in found.values()))
    for recipe, weights in found.items():
        bars = histogram(weights, 31)
        figure.add(recipe, histogram(weights, 61, limit=largest))
        table.rows.append(
            (subject, LAYERS[subject], recipe, f"{(weights == 0).mean():.1%}", f"{weights.std():.4f}", str(bars))
        )
    dense = abs(found["float32"])
    return float((dense < dense.max() / 3).mean())


@claim(
    "saxena2024/VI-B/overparameterised",
    at_most(1, why="points that 2 of every 4 weights cost after as long a retraining; n=3,000 leaves 0.4"),
    kind="trend",
)
@pytest.mark.parametrize("subject", ["resnet50"])
def test_two_weights_of_every_four_can_go(subject, compressed):
    return compressed(subject, "prune_n_m").accuracy_drop_from(compressed(subject, "retrain"))


@claim(
    "saxena2024/VI-B/overparameterised",
    between(0.45, 0.5, why="half of every kernel whose inputs divide by 4; the first layer's three channels do not"),
    kind="theorem",
)
@pytest.mark.parametrize("subject", ["resnet50"])
def test_two_of_four_is_half(subject, compressed):
    return compressed(subject, "prune_n_m").sparsity


ORDERS = {
    "prune, then quantize": "prune(0.9, scope=lamp) | qat(1, preserve_sparsity=true) | int8",
    "quantize, then prune": "qat(1) | prune(0.9, scope=lamp) | int8",
    "jointly": "prune_qat(0.9, scope=lamp, epochs=3) | int8",
}


@claim(
    "saxena2024/VI-C/quantise-after-prune",
    "saxena2024/VII/prune-then-quantise",
    at_most(1, why="points by which pruning first is behind the best of three orders of equal epochs, n=3,000"),
    kind="trend",
)
@pytest.mark.parametrize("subject", ["resnet50"])
def test_pruning_first_is_as_good_as_any_order(subject, compressed, report_table):
    cells = {name: compressed(subject, recipe) for name, recipe in ORDERS.items()}
    table = report_table(
        "order of pruning to 90 % and rounding to 8 bits, three epochs of training each: top-1 in %, gzipped bytes",
        ("subject", "order", "recipe", "top-1", "points lost", "zeros", "gzipped bytes"),
    )
    for name, cell in cells.items():
        row = f"{cell.accuracy.value:.2f}", f"{-cell.accuracy_drop.value:+.2f}", f"{cell.sparsity:.1%}"
        table.rows.append((subject, name, str(cell.recipe), *row, f"{cell.gzip_bytes:,}"))
    best = max(
        (one for name, one in cells.items() if name != "prune, then quantize"), key=lambda one: one.accuracy.value
    )
    return cells["prune, then quantize"].accuracy_drop_from(best)
