"""Saxena et al. 2024, tables VIII to XII: pruned models, decided by arithmetic on the printed digits (S11 to S16)."""

from __future__ import annotations

import pytest

from benches.saxena2024.printed import cells
from compress.claims.bound import at_least, at_most, between, exactly
from compress.claims.claim import claim

PRUNED_CLASSIFIERS = {"MobileNetV2": "VIII", "ResNet50": "IX"}


def printed_gain(network: str, sparsity: int) -> float:
    accuracy = cells(PRUNED_CLASSIFIERS[network], "Performance of Pruned Network")
    return accuracy[sparsity] - accuracy[0]


@claim(
    "saxena2024/V-A/gain",
    at_least(2.8, why="points at 60 and 75 %, tables VIII, IX; no dense control (S12)"),
    kind="number",
)
@pytest.mark.parametrize("network", PRUNED_CLASSIFIERS)
@pytest.mark.parametrize("sparsity", [60, 75])
def test_printed_classifiers_gain_when_pruned(network, sparsity):
    return printed_gain(network, sparsity)


@claim(
    "saxena2024-review/prune-75",
    at_least(0, why="points at 75 %: +4.61 and +8.15; no dense control (R04, S12)"),
    kind="number",
)
@pytest.mark.parametrize("network", PRUNED_CLASSIFIERS)
def test_printed_classifiers_stand_75_percent(network):
    return printed_gain(network, 75)


@claim(
    "saxena2024/V-A/mobilenet-90-drop",
    between(-0.4, -0.3, why="points, Table VIII: 84.88 - 85.27 (S12)"),
    kind="number",
)
def test_printed_mobilenet_loses_at_90_percent():
    return printed_gain("MobileNetV2", 90)


@claim(
    "saxena2024/VI-B/unstructured-size",
    "saxena2024/VII/toolkit-no-size-claim",
    exactly(0, why="Mb between 60, 75 and 90 %, tables VIII and IX: what left with pruning was the optimizer (S11)"),
    kind="number",
)
@pytest.mark.parametrize("network", PRUNED_CLASSIFIERS)
def test_printed_sizes_do_not_depend_on_sparsity(network):
    sizes = [
        size for sparsity, size in cells(PRUNED_CLASSIFIERS[network], "Size of Pruned Network").items() if sparsity
    ]
    return max(sizes) - min(sizes)


@claim(
    "saxena2024/VI-B/unstructured-size",
    between(2.9, 3, why="27 / 9.2 and 271 / 91: weights and two Adam slots over weights are 2.97 and 2.995 (S11)"),
    kind="number",
)
@pytest.mark.parametrize("network", PRUNED_CLASSIFIERS)
def test_the_printed_cut_at_60_percent_is_that_of_dropped_optimizer_slots(network):
    sizes = cells(PRUNED_CLASSIFIERS[network], "Size of Pruned Network")
    return sizes[0] / sizes[60]


@claim(
    "saxena2024/V-B/yolo-drop",
    at_least(75, why="percent of mAP, Table X: 76.1 and 77.7; no control (S13)"),
    kind="number",
)
@pytest.mark.parametrize("sparsity", [60, 80])
def test_printed_pruned_yolo_loses_its_map(sparsity):
    scores = cells("X", "MAP@0.25")
    return 100 * (1 - scores[sparsity] / scores[0])


@claim("saxena2024/V-B/yolo-latency", between(10, 16, why="percent, Table X: 15.2 and 12.5 (S13)"), kind="number")
@pytest.mark.parametrize("sparsity", [60, 80])
def test_printed_pruned_yolo_is_slightly_slower(sparsity):
    times = cells("X", "Inference Time")
    return 100 * (times[sparsity] / times[0] - 1)


@claim("saxena2024/V-B/yolo-size", exactly(0, why="Mb between the rows of Table X: 259 in each (S11)"), kind="number")
def test_printed_pruned_yolo_keeps_its_size():
    sizes = cells("X", "Size").values()
    return max(sizes) - min(sizes)


def megabytes(table: str) -> list[float]:
    """Return the printed sizes of table XI or XII in MB, Gb counted as a thousand."""
    sizes = list(cells(table, "Size of N/W").values())
    return [1000 * sizes[0], *sizes[1:]] if table == "XI" else sizes


@claim(
    "saxena2024/VI-B/structured-size",
    at_most(
        0.95, why="largest pruned file over the unpruned one, printed: 0.87 (XI) and 0.92 (XII); units differ (S14)"
    ),
    kind="number",
)
@pytest.mark.parametrize("table", ["XI", "XII"])
def test_printed_structured_pruning_shrinks_the_file(table):
    sizes = megabytes(table)
    return max(sizes[1:]) / sizes[0]


@claim(
    "saxena2024-review/half-parameters",
    at_most(22, why="percent, the largest printed cut: 21.5 (XI, really 18.7) and 12.5 (XII): not 50 (R02, S14, S16)"),
    kind="refuted",
)
@pytest.mark.parametrize("table", ["XI", "XII"])
def test_the_largest_printed_cut_by_structured_pruning(table):
    sizes = megabytes(table)
    return 100 * (1 - min(sizes[1:]) / sizes[0])


@claim("saxena2024/V-C/xlmr-2048-8", at_most(0.5, why="points lost at (2048,8), Table XI: 0.45 (S15)"), kind="number")
def test_printed_xlmr_at_2048_8_keeps_its_accuracy():
    accuracy = cells("XI", "Accuracy")
    return accuracy["(3072,12)"] - accuracy["(2048,8)"]


@claim("saxena2024/V-C/xlmr-2048-8", at_least(1.5, why="times faster, Table XI: 2.106 over 1.385 s"), kind="number")
def test_printed_xlmr_at_2048_8_is_faster():
    times = cells("XI", "Inference Time (per batch)")
    return times["(3072,12)"] / times["(2048,8)"]


@claim("saxena2024/V-C/xlmr-further", at_least(9, why="points lost, Table XI: 9.5 and 46.6 (S15)"), kind="number")
@pytest.mark.parametrize("shape", ["(1024,6)", "(512,12)"])
def test_printed_xlmr_pruned_further_loses_much(shape):
    accuracy = cells("XI", "Accuracy")
    return accuracy["(3072,12)"] - accuracy[shape]
