"""Saxena et al. 2024, III-A and VI-A to VI-C: what quantization costs in accuracy, in points and paired (audit S06)."""

from __future__ import annotations

import pytest

from compress.claims.bound import Bound, Estimate, at_least, at_most, between, is_true
from compress.claims.claim import claim

SUBJECTS = ["mnist_cnn", "lenet_300_100", "lenet_5"]
FLOAT16 = ["float16", "float16(engine=ai_edge)", "float16@onnx"]
EIGHT_BITS = [
    "dynamic_range",
    "dynamic_range(engine=ai_edge)",
    "dynamic_range@onnx",
    "int8",
    "int8(engine=ai_edge)",
    "int8(granularity=tensor)",
    "int8@onnx",
    "int8(granularity=tensor)@onnx",
]
SIXTEEN_BY_EIGHT = ["int16x8", "int16x8(engine=ai_edge)", "int16x8@onnx"]

every_subject = pytest.mark.parametrize("subject", SUBJECTS)


@claim(
    "saxena2024/III-A/float16-accuracy",
    at_most(0.1, why="11 significant bits: above 0.1 points it is a fault of conversion or preprocessing (S06)"),
)
@every_subject
@pytest.mark.parametrize("recipe", FLOAT16)
def test_float16_loses_no_accuracy(subject, recipe, compressed):
    return compressed(subject, recipe).accuracy_drop


@claim(
    "saxena2024/III-A/float16-accuracy",
    at_least(4, why="dB nearer to float32's outputs than any 8-bit file; of float16's own no more than 60 are counted"),
    kind="trend",
)
@every_subject
def test_float16_outputs_are_the_nearest_of_the_three_modes(subject, compressed):
    sqnr = {
        recipe: compressed(subject, recipe).value("output_sqnr_db") for recipe in ("float16", "dynamic_range", "int8")
    }
    return sqnr["float16"] - max(sqnr["dynamic_range"], sqnr["int8"])


EIGHT_BIT_LOSS_POINTS = {"mnist_cnn": 0.4, "lenet_300_100": 0.3, "lenet_5": 0.2}


def little(subject: str, scale: str) -> Bound:
    n = "10,000" if scale == "paper" else "3,000: one-sided limits are 0.1 to 0.15 points wide"
    why = f"per model, n={n}; a zero point off by one or weights of another network cost points, not tenths"
    return at_most(EIGHT_BIT_LOSS_POINTS[subject], why=why)


@claim(
    "saxena2024/III-A/post-training-latency",
    "saxena2024/VI-C/quantise-little-prune-much",
    little,
    kind="trend",
)
@every_subject
@pytest.mark.parametrize("recipe", [*EIGHT_BITS, *SIXTEEN_BY_EIGHT])
def test_eight_bits_lose_tenths_of_a_point(subject, recipe, compressed):
    return compressed(subject, recipe).accuracy_drop


LEAST_SQNR_DB = {"dynamic_range": 42, "int8": 38, "int16x8": 46}


def nearness(recipe: str) -> Bound:
    why = "8 bits give 40 to 50 dB here, a bit is 6; calibration on noise or weights per tensor at 4 bits give under 30"
    return at_least(LEAST_SQNR_DB[recipe.split("(")[0].split("@")[0]], why=why)


@claim("saxena2024/table-I", nearness, kind="trend")
@every_subject
@pytest.mark.parametrize("recipe", [*EIGHT_BITS, *SIXTEEN_BY_EIGHT])
def test_outputs_stay_near_the_float32_files(subject, recipe, compressed):
    return compressed(subject, recipe).value("output_sqnr_db")


@claim(
    "saxena2024/table-I",
    at_least(
        3, why="dB gained by int16 over int8 activations, weights alike; equal would mean int8 activations in both"
    ),
    kind="trend",
)
@every_subject
@pytest.mark.parametrize("target", ["", "@onnx"])
def test_wider_activations_bring_outputs_nearer(subject, target, compressed):
    wide, narrow = compressed(subject, f"int16x8{target}"), compressed(subject, f"int8{target}")
    return wide.value("output_sqnr_db") - narrow.value("output_sqnr_db")


@claim(
    "saxena2024/table-I",
    between(-0.3, 0.3, why="points between the two engines or runtimes, same weights and calibration; n=3,000"),
    kind="trend",
)
@every_subject
@pytest.mark.parametrize("recipe", ["dynamic_range", "float16", "int8", "int16x8"])
@pytest.mark.parametrize("other", ["{}(engine=ai_edge)", "{}@onnx"])
def test_engines_and_runtimes_agree_on_accuracy(subject, recipe, other, compressed):
    return compressed(subject, other.format(recipe)).accuracy_drop_from(compressed(subject, recipe))


@claim(
    "saxena2024/VI-C/quantise-little-prune-much",
    at_least(
        0.7, why="points more than int8 costs: pruning 99 % may cost much; the paper's tables say the reverse (S20)"
    ),
    kind="trend",
)
@pytest.mark.parametrize("subject", ["mnist_cnn", "lenet_300_100"])
def test_drastic_pruning_costs_more_than_int8(subject, compressed):
    return compressed(subject, "prune(0.99)").accuracy_drop_from(compressed(subject, "int8"))


@claim(
    "saxena2024/III-A/int8-calibration",
    is_true(why="III-A: 100 samples, drawn from training data; none of them is evaluated"),
    kind="number",
)
@every_subject
def test_int8_is_calibrated_on_100_training_samples(subject, compressed):
    cell = compressed(subject, "int8")
    data = cell.workbench.data(cell.subject)
    samples = {one.tobytes() for one in data.calibration(cell.recipe.export.calibration)}
    trained = {one.tobytes() for one in data.train_x}
    evaluated = {one.tobytes() for one in data.evaluation_x}
    return cell.recipe.export.calibration == 100 and samples <= trained and not samples & evaluated


@claim(
    "saxena2024/VI-A/io-shape",
    is_true(why="of these one-input models shape and class order stay, answers agree on 99 %; a batch of one is fixed"),
    kind="refuted",
)
@every_subject
@pytest.mark.parametrize("recipe", ["float32", "dynamic_range", "float16", "int8", "int16x8", "int8@onnx"])
def test_input_and_output_keep_shape_and_order(subject, recipe, compressed):
    from compress.runtime.session import open_session

    cell = compressed(subject, recipe)
    expected = compressed(subject, "float32").measurement.outputs
    answers = cell.measurement.outputs
    same = float((answers.argmax(axis=1) == expected.argmax(axis=1)).mean())
    inputs = open_session(cell.artifact.path, cell.artifact.runtime).input_shape
    kept = inputs == (28, 28, 1) and answers.shape == expected.shape and same > 0.99
    return Estimate(float(kept), float(kept), float(kept), note=f"input {inputs}, outputs agree on {same:.2%}")
