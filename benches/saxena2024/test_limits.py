"""Saxena et al. 2024, VI-A to VI-C: what cannot be pruned or quantized, asked of the tools themselves."""

from __future__ import annotations

from benches.saxena2024.refusals import answers
from compress.claims.bound import Estimate, is_true
from compress.claims.claim import claim


def yes(found: bool, note: str) -> Estimate:
    return Estimate(float(found), float(found), float(found), note=note.splitlines()[0][:200])


@claim(
    "saxena2024/VI-B/keras-only",
    is_true(why="TFMOT 0.8 prunes a functional model and refuses a subclassed one, naming the kinds it takes"),
)
def test_the_toolkit_prunes_functional_models_and_refuses_subclassed_ones():
    found = answers()
    refused = "can only prune" in found.subclassed_model
    return yes(refused and not found.functional_model, found.subclassed_model or "not refused")


@claim(
    "saxena2024/VI-C/not-all-models",
    is_true(why="a layer of one's own has no counterpart that the toolkit knows; the bridge names the layer"),
)
def test_a_custom_layer_cannot_be_pruned_by_the_toolkit():
    return yes("doubling" in answers().custom_layer, answers().custom_layer or "not refused")


@claim(
    "saxena2024/VI-A/op-coverage",
    is_true(why="TensorFlow has an error function, LiteRT has none: the converter refuses, naming it"),
)
def test_an_operation_that_litert_lacks_cannot_be_converted():
    return yes("Erf" in answers().error_function, answers().error_function or "not refused")


@claim(
    "saxena2024/VI-A/op-coverage",
    is_true(why="LiteRT has a sine of floats only: in an int8 file it stands between DEQUANTIZE and QUANTIZE"),
)
def test_an_operation_without_integer_kernel_stays_in_float():
    operations = answers().sine_at_int8
    return yes({"DEQUANTIZE", "SIN", "QUANTIZE"} <= operations.keys(), f"operations {operations}")
