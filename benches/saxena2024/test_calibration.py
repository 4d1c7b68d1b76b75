"""Saxena et al. 2024, IV-A: where an int8 collapse like the paper's comes from. A calibration study (S05).

The paper calibrates on 100 training samples (III-A) and reads 13 % and 21 % off ten classes. Here the set is varied
one thing at a time: how many samples, what they are, how they are scaled, how ranges are taken from them.
"""

from __future__ import annotations

import pytest

from compress.claims.bound import Bound, at_least, at_most, between, is_true
from compress.claims.claim import claim

pytestmark = pytest.mark.scale("embedded")

SUBJECTS = ["mobilenet_v2", "inception_v3"]
"""Those of tables II and III."""

SIZES = [1, 5, 20, 100, 500]
MISTAKES = {"noise": "int8(inputs=noise)", "wrongly scaled": "int8(inputs=unscaled)"}
RANGES = {"min-max": "int8(engine=ai_edge)", "percentile": "int8(engine=ai_edge, ranges=percentile)"}
COLLAPSED_POINTS = 60

both = pytest.mark.parametrize("subject", SUBJECTS)


def collapse(subject: str) -> Bound:
    if subject == "mobilenet_v2":
        return at_least(2, why="points: every ReLU6 holds its range to 6, so only the linear bottlenecks are spread")
    why = "points: samples in 0..255 where the network takes 0..1 spread every range 255 times; 66 and 70 printed"
    return at_least(COLLAPSED_POINTS, why=why)


def of(samples: int) -> str:
    return "int8" if samples == 100 else f"int8({samples})"


@claim(
    "saxena2024/IV-A/int8-drop",
    collapse,
    kind="trend",
)
@both
def test_calibrating_on_unscaled_input_collapses_int8_as_in_the_paper(subject, compressed, report_table):
    shown = {
        **{f"{samples} samples": of(samples) for samples in SIZES},
        **MISTAKES,
        "percentile": RANGES["percentile"],
        "min-max": RANGES["min-max"],
    }
    cells = {name: compressed(subject, recipe) for name, recipe in shown.items()}
    report_table(
        f"{subject} at int8 by what it was calibrated on, n=3,000 of 10 classes: top-1 in %, SQNR of its outputs in dB",
        ("calibrated on", "top-1", "points lost", "90 % interval", "SQNR"),
    ).rows.extend(
        (
            name,
            f"{cell.accuracy.value:.2f}",
            f"{cell.accuracy_drop.value:+.2f}",
            f"{cell.accuracy_drop.low:+.2f} .. {cell.accuracy_drop.high:+.2f}",
            f"{cell.value('output_sqnr_db'):.1f}",
        )
        for name, cell in cells.items()
    )
    return cells["wrongly scaled"].accuracy_drop


@claim(
    "saxena2024/IV-A/int8-drop",
    "saxena2024/III-A/int8-calibration",
    at_most(1, why="points, from 20 samples up; n=3,000 leaves 0.2 to 0.4; the mistake above costs 60 and more"),
    kind="refuted",
)
@both
@pytest.mark.parametrize("samples", [one for one in SIZES if one >= 20])
def test_twenty_training_samples_are_enough(subject, samples, compressed):
    return compressed(subject, of(samples)).accuracy_drop


@claim(
    "saxena2024/III-A/int8-calibration",
    at_least(
        0, why="dB that 100 samples gain over one: one picture's ranges clip the others'; below 0 more would be worse"
    ),
    kind="trend",
)
@both
def test_one_sample_leaves_outputs_further_off_than_a_hundred(subject, compressed):
    hundred, one = compressed(subject, "int8"), compressed(subject, of(1))
    return hundred.value("output_sqnr_db") - one.value("output_sqnr_db")


def noise_costs(subject: str) -> Bound:
    if subject == "mobilenet_v2":
        return between(-0.5, 0.5, why="points: every ReLU6 holds its range to 6, whatever comes in; n=3,000")
    return at_least(0.3, why="points more than training samples cost: noise has not the ranges of pictures")


@claim("saxena2024/III-A/int8-calibration", noise_costs, kind="trend")
@both
def test_noise_is_a_worse_calibration_set_than_pictures_unless_relu6_holds_ranges(subject, compressed):
    return compressed(subject, MISTAKES["noise"]).accuracy_drop_from(compressed(subject, "int8"))


@claim(
    "saxena2024/III-A/int8-calibration",
    at_most(0.5, why="points between ranges that keep all of 100 samples and ranges that clip their tails; n=3,000"),
    kind="trend",
)
@both
def test_clipping_the_tails_changes_little(subject, compressed):
    return compressed(subject, RANGES["percentile"]).accuracy_drop_from(compressed(subject, RANGES["min-max"]))


@claim(
    "saxena2024/III-A/int8-calibration",
    is_true(
        why="the collapsed file has the operations and weights of the good one: only the activations' scales differ"
    ),
    kind="trend",
)
@both
def test_only_the_scales_of_activations_tell_the_collapsed_file_apart(subject, compressed):
    good, bad = compressed(subject, "int8"), compressed(subject, MISTAKES["wrongly scaled"])
    same_graph = good.measurement.values["ops"] == bad.measurement.values["ops"]
    weights = [[(part.elements, part.zeros) for part in cell.parts if part.dtype == "int8"] for cell in (good, bad)]
    return same_graph and weights[0] == weights[1]
