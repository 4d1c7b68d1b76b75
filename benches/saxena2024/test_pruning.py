"""Saxena et al. 2024, III-B, V-A and VI-B to VII: pruning, beside a dense control retrained as long (S11, S12).

The paper's networks are larger; these are trained analogues. At the embedded scale they retrain on 2,000 images.
"""

from __future__ import annotations

import json

import pytest

from compress.claims.bound import Bound, Estimate, at_least, at_most, between, exactly
from compress.claims.claim import claim
from fixtures.trained import WEIGHTS

SUBJECTS = ["mnist_cnn", "lenet_300_100", "lenet_5"]
LENETS = ["lenet_300_100", "lenet_5"]
every_subject = pytest.mark.parametrize("subject", SUBJECTS)


def retraining_data(scale: str) -> str:
    return "n=10,000" if scale == "paper" else "n=3,000, retrained on 2,000 images"


@claim(
    "saxena2024/VI-B/unstructured-size",
    exactly(1, why="a zero takes its 32 bits like any other value: not one byte less"),
)
@every_subject
@pytest.mark.parametrize("recipe", ["prune(0.8)", "prune(0.8) | float32@onnx", "prune(0.8)@keras"])
def test_unstructured_sparsity_leaves_the_raw_size_as_it_was(subject, recipe, compressed):
    return compressed(subject, recipe).size_ratio


@claim(
    "saxena2024/VII/toolkit-no-size-claim",
    exactly(
        1, why="the toolkit's own pruning, stripped and converted; the 3x of tables VIII and IX are Adam's slots (S11)"
    ),
)
@every_subject
def test_the_toolkits_pruning_leaves_the_raw_size_as_it_was(subject, compressed):
    return compressed(subject, "tfmot_prune(0.8)").size_ratio


@claim(
    "saxena2024/VII/toolkit-no-size-claim",
    between(0.799, 0.801, why="it did prune: 80 % of every kernel; with its default of every 100 steps it would be 0"),
)
@every_subject
def test_the_toolkits_pruning_sets_80_percent_to_zero(subject, compressed):
    return compressed(subject, "tfmot_prune(0.8)").sparsity


@claim(
    "saxena2024/III-B/sparse-latency",
    "saxena2024/VI-B/unstructured-size",
    at_least(
        2.9, why="gzip: a fifth of the weights whole and 3 bits each for where, 32 / 9.4 = 3.4; dense files give 1.08"
    ),
)
@every_subject
@pytest.mark.parametrize("recipe", ["prune(0.8)", "tfmot_prune(0.8)"])
def test_unstructured_sparsity_shrinks_the_gzipped_file(subject, recipe, compressed):
    return compressed(subject, recipe).gzip_ratio


@claim(
    "saxena2024/VII/prune-then-quantise",
    "saxena2024/VI-C/quantise-after-prune",
    at_least(2, why="gzipped, over the better of either alone; 1 if quantizing brought back the pruned weights"),
)
@every_subject
def test_quantizing_after_pruning_is_smaller_still(subject, compressed):
    alone = max(compressed(subject, one).gzip_ratio for one in ("prune(0.8)", "int8"))
    return compressed(subject, "prune(0.8) | int8").gzip_ratio / alone


@claim(
    "saxena2024/VI-C/quantise-after-prune",
    at_most(
        0.4, why="points that int8 takes from the pruned network: as few as from the dense one; n=3,000 leaves 0.2"
    ),
    kind="trend",
)
@every_subject
def test_quantizing_after_pruning_costs_no_more_than_before(subject, compressed):
    return compressed(subject, "prune(0.8) | int8").accuracy_drop_from(compressed(subject, "prune(0.8)"))


def least_effect(scale: str) -> Bound:
    most = 0.5 if scale == "paper" else 1.2
    return at_most(most, why=f"points, {retraining_data(scale)}; without retraining the small CNN loses 48 at 95 %")


@claim(
    "saxena2024/VI-B/overparameterised",
    "saxena2024/V-A/near-zero",
    "saxena2024-abstract/latency",
    least_effect,
    kind="trend",
)
@pytest.mark.parametrize("subject", LENETS)
def test_four_weights_in_five_can_go(subject, compressed):
    return compressed(subject, "prune(0.8)").accuracy_drop


@claim(
    "saxena2024/VI-B/retrain-gain",
    at_most(0.4, why="points over the better of the dense network and its control (S12): none, as far as n tells"),
    kind="refuted",
)
@every_subject
@pytest.mark.parametrize("sparsity", [0.5, 0.8])
def test_a_pruned_network_gains_nothing_over_the_better_dense_one(subject, sparsity, compressed, report_table):
    pruned, original = compressed(subject, f"prune({sparsity})"), compressed(subject, "float32")
    control = compressed(subject, "retrain")
    gains = [dense.accuracy_drop_from(pruned) for dense in (original, control)]
    report_table(
        "pruned and retrained, beside the dense original and a dense control retrained as long: accuracy in %, points",
        ("subject", "sparsity", "original", "control", "pruned", "gain over original", "over control", "n"),
    ).rows.append(
        (
            subject,
            f"{sparsity:.0%}",
            *(f"{cell.accuracy.value:.2f}" for cell in (original, control, pruned)),
            *(f"{gain.value:+.2f} ({gain.low:+.2f} .. {gain.high:+.2f})" for gain in gains),
            str(pruned.accuracy.n),
        )
    )
    return min(gains, key=lambda gain: gain.value)


@claim(
    "saxena2024/VI-B/retrain-gain",
    at_least(
        10, why="points that retraining brings back at 95 % sparsity; 0 if the masks were frozen with the weights"
    ),
    kind="trend",
)
def test_retraining_brings_back_what_pruning_took(compressed):
    return compressed("mnist_cnn", "prune(0.95, epochs=0)").accuracy_drop_from(compressed("mnist_cnn", "prune(0.95)"))


@claim(
    "saxena2024/VI-B/threshold",
    at_most(0.6, why="50 % sparsity, below the threshold: nothing that n=3,000 could show"),
    kind="trend",
)
def test_below_the_threshold_quality_holds(compressed):
    return compressed("mnist_cnn", "prune(0.5)").accuracy_drop


@claim(
    "saxena2024/VI-B/threshold",
    "saxena2024/V-A/irreversible",
    at_least(
        5, why="99 % sparsity, 204 weights left: points lost that as long a retraining as the training did not return"
    ),
    kind="trend",
)
def test_beyond_the_threshold_retraining_does_not_return_it(compressed):
    return compressed("mnist_cnn", "prune(0.99)").accuracy_drop


@claim(
    "saxena2024/VII/gradual",
    at_least(0.5, why="points lost at 95 % when all of it is pruned in the first step instead of by and by"),
    kind="trend",
)
def test_pruning_gradually_costs_less(compressed):
    gradual = compressed("mnist_cnn", "prune(0.95)")
    return compressed("mnist_cnn", "prune(0.95, schedule=constant)").accuracy_drop_from(gradual)


@claim(
    "saxena2024/VI-C/depends-on-redundancy",
    at_least(1, why="points more at 95 %, in 20,410 parameters than in 266,610 that do the same task: fewer are spare"),
    kind="trend",
)
def test_the_network_with_fewer_spare_weights_loses_more(compressed):
    small, large = (compressed(subject, "prune(0.95)").accuracy_drop for subject in ("mnist_cnn", "lenet_300_100"))
    return Estimate(
        small.value - large.value,
        small.low - large.high,
        small.high - large.low,
        "points",
        small.n,
        f"{small} and {large}",
    )


@claim(
    "saxena2024/VII/prune-in-training",
    exactly(
        1, why="passes over the training data that pruning takes again, over those of the training; one shot takes 0"
    ),
    kind="trend",
)
@every_subject
def test_pruning_after_training_goes_through_all_the_data_again(subject, compressed):
    pruned, control = compressed(subject, "prune(0.8)"), compressed(subject, "retrain")
    trained = json.loads((WEIGHTS / f"{subject}.json").read_text())["epochs"]
    epochs = pruned.recipe.transforms[0].epochs
    passes = (pruned.subject.training.epochs if epochs is None else epochs) / trained
    times = [f"{cell.value('compress_time_s'):.1f} s" for cell in (pruned, control)]
    return Estimate(passes, passes, passes, note=f"{times[0]}, and {times[1]} of dense training over the same batches")
