"""Saxena et al. 2024, VI-B: structured pruning makes a network smaller and faster, on trained slim classifiers (S12).

The paper shows it for transformers only (tables XI and XII). Here whole channels go, joins and all, until half of the
multiply-adds are gone; the network is rebuilt without them, and what is measured is that smaller file.
"""

from __future__ import annotations

import pytest

from benches.saxena2024.classifiers import PRUNED, every_classifier
from benches.saxena2024.latency import latency_ratio
from compress.claims.bound import at_least, at_most, between
from compress.claims.claim import claim
from compress.measure.figure import Line

pytestmark = pytest.mark.scale("embedded")

HALF = "channels(0.5)"
L1 = "channels(0.5, criterion=l1)"
BN_SCALE = "channels(0.5, criterion=bn_scale)"


def channels(cell):
    """Return the output channels of the file's convolutions, in the graph's order; depthwise ones have one filter."""
    kernels = [part for part in cell.parts if part.kind == "weights" and len(part.shape) == 4 and part.shape[0] > 1]
    # a part is numbered by its operation: conv_2d_13.weights
    return [part.shape[0] for part in sorted(kernels, key=lambda part: int(part.name.split(".")[0].split("_")[-1]))]


@claim(
    "saxena2024/VI-B/structured-size",
    between(
        0.4, 0.51, why="share of the multiply-adds left in the rebuilt file, whole channels at a time; masks leave 1"
    ),
    kind="trend",
)
@every_classifier
def test_half_of_the_multiply_adds_are_gone_from_the_file(subject, compressed, report_table, report_figure):
    cell, dense, control = (compressed(subject, one) for one in (HALF, "float32", "retrain"))
    ratio = latency_ratio(cell, dense)
    report_table(
        "channels removed until half of the multiply-adds are gone, retrained; n=3,000",
        ("subject", "multiply-adds", "left", "bytes", "left", "latency", "top-1: dense", "control", "pruned"),
    ).rows.append(
        (
            subject,
            f"{cell.value('multiply_adds'):,.0f}",
            f"{cell.value('multiply_adds') / dense.value('multiply_adds'):.1%}",
            f"{cell.raw_bytes:,}",
            f"{cell.raw_bytes / dense.raw_bytes:.1%}",
            f"{ratio.value:.2f}x",
            *(f"{one.accuracy.value:.2f}" for one in (dense, control, cell)),
        )
    )
    figure = report_figure(
        f"channels of {subject}, before and after half of the multiply-adds went",
        x="convolution, from the input on",
        y="channels",
    )
    for name, file in (("dense", dense), (HALF, cell)):
        figure.add(name, Line(range(1, len(channels(file)) + 1), channels(file)))
    return cell.value("multiply_adds") / dense.value("multiply_adds")


@claim(
    "saxena2024/VI-B/structured-size",
    at_least(1.3, why="the raw file, float32: fewer weights are stored; zeroed channels would leave it at 1.00"),
    kind="trend",
)
@every_classifier
def test_removed_channels_make_the_raw_file_smaller(subject, compressed):
    return compressed(subject, HALF).size_ratio


@claim(
    "saxena2024/VI-B/structured-size",
    "saxena2024/VII/pruning-effective",
    at_most(
        2, why="points, n=3,000: half of the multiply-adds, after a short retraining; unretrained it is tens of points"
    ),
    kind="trend",
)
@every_classifier
def test_half_of_the_multiply_adds_cost_two_points_at_most(subject, compressed):
    return compressed(subject, HALF).accuracy_drop


@claim(
    "saxena2024/VI-B/no-latency-gain",
    at_most(0.7, why="the latency of the dense file: fewer multiply-adds are fewer, unlike zeros among them (S12)"),
    kind="refuted",
)
@every_classifier
def test_a_network_without_the_channels_is_faster(subject, compressed):
    return latency_ratio(compressed(subject, HALF), compressed(subject, "float32"))


@claim(
    "saxena2024/VII/pruning-effective",
    at_most(3, why="points, n=3,000: filters by their L1 norm, channels by their normalisation's scale"),
    kind="trend",
)
@pytest.mark.parametrize("subject", ["resnet50"])
@pytest.mark.parametrize("recipe", [L1, BN_SCALE])
def test_other_criteria_find_channels_to_remove_too(subject, recipe, compressed):
    return compressed(subject, recipe).accuracy_drop


@claim(
    "saxena2024/VII/prune-then-quantise",
    at_least(1.8, why="raw bytes, of quantizing the network without its channels: both savings multiply"),
    kind="trend",
)
@pytest.mark.parametrize("subject", PRUNED)
def test_quantizing_the_smaller_network_shrinks_it_further(subject, compressed):
    return compressed(subject, HALF).raw_bytes / compressed(subject, f"{HALF} | int8").raw_bytes
