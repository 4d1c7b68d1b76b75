"""Saxena et al. 2024, Table I, III-A, VI-A, VI-C and VII: how much smaller quantization makes a file, and why.

Ratios are of the float32 file of the same runtime, raw bytes, one container (audit S04).
"""

from __future__ import annotations

import pytest

from benches.saxena2024.expected_size import FORMATS, stored_network, stored_tensor
from compress.claims.bound import Bound, at_least, at_most, between, exactly
from compress.claims.claim import claim

SUBJECTS = ["mnist_cnn", "lenet_300_100", "lenet_5"]
LENETS = ["lenet_300_100", "lenet_5"]
SMALL = "20,410 parameters: graph, float biases and scales are 7 % of 23 kB"

every_subject = pytest.mark.parametrize("subject", SUBJECTS)


def about_4x_by_dynamic_range(subject: str) -> Bound:
    if subject == "mnist_cnn":
        return between(3.6, 4, why=f"{SMALL}; left in float32 it would be 1")
    return between(3.85, 4, why="int8 weights and a scale a channel; 3.85 from 250k parameters up; unquantized gives 1")


@claim(
    "saxena2024/III-A/dynamic-range-size",
    "saxena2024/III-A/table-I-dynamic-range",
    "saxena2024/VI-A/dynamic-range-quarter",
    about_4x_by_dynamic_range,
)
@every_subject
@pytest.mark.parametrize("recipe", ["dynamic_range", "dynamic_range(engine=ai_edge)", "dynamic_range@onnx"])
def test_dynamic_range_is_about_4x_smaller(subject, recipe, compressed):
    return compressed(subject, recipe).size_ratio


def about_2x_by_float16(subject: str, recipe: str) -> Bound:
    if subject == "mnist_cnn":
        return between(1.95, 2, why="20,410 parameters: graph and DEQUANTIZE operations are 4 % of 42 kB")
    if "ai_edge" in recipe:
        return between(1.98, 2, why="ai-edge-quantizer leaves the biases in float32 and writes a larger graph")
    return between(1.99, 2, why="half the bytes of every value; the graph stays")


@claim(
    "saxena2024/III-A/table-I-float16",
    "saxena2024/VI-A/float16-half",
    "saxena2024/VI-C/size-expectation",
    about_2x_by_float16,
)
@every_subject
@pytest.mark.parametrize("recipe", ["float16", "float16(engine=ai_edge)", "float16@onnx"])
def test_float16_is_about_2x_smaller(subject, recipe, compressed):
    return compressed(subject, recipe).size_ratio


def about_4x_by_int8(subject: str) -> Bound:
    if subject == "mnist_cnn":
        return between(3.3, 4, why=f"{SMALL}; an ONNX file names its quantizing operations one by one, 3.5 kB")
    return between(
        3.85, 4, why="int8 weights, 16 bytes of scales and zero points a channel; with zero points twice, 3.82"
    )


@claim(
    "saxena2024/III-A/table-I-int8",
    "saxena2024/VI-C/size-expectation",
    "saxena2024-review/int8-4x",
    about_4x_by_int8,
)
@every_subject
@pytest.mark.parametrize(
    "recipe",
    ["int8", "int8(engine=ai_edge)", "int8(granularity=tensor)", "int8@onnx", "int8(granularity=tensor)@onnx"],
)
def test_int8_is_about_4x_smaller(subject, recipe, compressed):
    return compressed(subject, recipe).size_ratio


@claim(
    "saxena2024/VII/size-reduced",
    "saxena2024-abstract/2x-4x",
    between(
        1.95, 4, why="2x to 4x: half the bits to a quarter of them, less scales and graph; 1 where nothing was done"
    ),
)
@every_subject
@pytest.mark.parametrize(
    "recipe", ["dynamic_range", "float16", "int8", "int16x8", "int16x8(engine=ai_edge)", "int16x8@onnx"]
)
def test_every_precision_reduces_the_size_by_2_to_4(subject, recipe, compressed):
    return compressed(subject, recipe).size_ratio


@claim(
    "saxena2024/table-I",
    exactly(0, why="elements x bytes + scales + zero points + graph, tensor by tensor: not a byte unaccounted for"),
)
@every_subject
@pytest.mark.parametrize("recipe", FORMATS)
def test_the_file_weighs_what_its_tensors_say(subject, recipe, compressed):
    original, cell = compressed(subject, "float32"), compressed(subject, recipe)
    constants = [part for part in original.parts if part.kind == "weights"]
    expected = stored_network(constants, sum(original.measurement.values["ops"].values()), FORMATS[recipe])
    zero_points = sum(part.bytes for part in cell.parts if part.name.endswith(".zero_point"))
    return cell.raw_bytes - expected.bytes - zero_points - cell.value("metadata_bytes")


@claim(
    "saxena2024/table-I",
    at_most(8192, why="graph, operators and padding do not grow with the weights; a tensor held there would show"),
)
@every_subject
@pytest.mark.parametrize("recipe", FORMATS)
def test_what_is_neither_weights_nor_scales_stays_small(subject, recipe, compressed):
    return compressed(subject, recipe).value("metadata_bytes")


SHOWN = ["float32", "dynamic_range", "float16", "int8", "int8(granularity=tensor)", "int16x8"]


@claim(
    "saxena2024/III-A/dynamic-range-size",
    "saxena2024/VI-A/float16-half",
    "saxena2024/III-A/table-I-int8",
    at_most(
        0.04,
        why="share of the float32 file, graph left out, by which 1/4, 1/2 and 1/4 are missed: scales, float biases",
    ),
)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_size_ratio_is_derived_tensor_by_tensor(subject, compressed, report_table):
    original = compressed(subject, "float32")
    constants = [part for part in original.parts if part.kind == "weights"]
    operations = sum(original.measurement.values["ops"].values())
    table = report_table(
        f"{subject}: bytes derived tensor by tensor, values + scales",
        ("tensor", *(one.replace("granularity=", "") for one in SHOWN)),
    )
    for part in constants:
        stored = [stored_tensor(part, part.shape[0], FORMATS[recipe]) for recipe in SHOWN]
        cells = [
            f"{one.value_bytes:,}" + (f" + {one.bytes - one.value_bytes:,}" if one.scales else "") for one in stored
        ]
        table.rows.append((f"{part.name} {'x'.join(map(str, part.shape))}", *cells))
    expected = [stored_network(constants, operations, FORMATS[recipe]) for recipe in SHOWN]
    cells = [compressed(subject, recipe) for recipe in SHOWN]
    zero_points = [sum(part.bytes for part in cell.parts if part.name.endswith(".zero_point")) for cell in cells]
    table.rows.append(("derived, activations' scales too", *(f"{one.bytes:,}" for one in expected)))
    table.rows.append(("zero points", *(f"{count:,}" for count in zero_points)))
    table.rows.append(("graph (metadata)", *(f"{cell.value('metadata_bytes'):,}" for cell in cells)))
    table.rows.append(("file, measured", *(f"{cell.raw_bytes:,}" for cell in cells)))
    table.rows.append(("float32 file over it", *(f"{cell.size_ratio:.3f}" for cell in cells)))
    whole = expected[0].bytes
    share = dict(zip(SHOWN, (one.bytes / whole for one in expected), strict=True))
    return max(share["dynamic_range"] - 0.25, share["float16"] - 0.5, share["int8"] - 0.25)


@claim(
    "saxena2024/table-I",
    at_least(
        2.6, why="weights and Adam's two slots over weights, less HDF5's share; 1.0 if the slots were left out (S11)"
    ),
)
@every_subject
def test_a_checkpoint_with_optimizer_slots_is_about_3x_the_weights(subject, compressed, report_table):
    slots, weights, file = (compressed(subject, one) for one in ("checkpoint@keras", "float32@keras", "float32"))
    table = report_table(
        "the sizes a ratio may be taken against, bytes: factors only within one column (S11, I02 to I04)",
        (
            "subject",
            "weights x 4",
            "checkpoint with slots",
            "weights only",
            "weights gzipped",
            "LiteRT",
            "LiteRT gzipped",
        ),
    )
    sizes = (
        4 * weights.parameters,
        slots.raw_bytes,
        weights.raw_bytes,
        weights.gzip_bytes,
        file.raw_bytes,
        file.gzip_bytes,
    )
    table.rows.append((subject, *(f"{size:,}" for size in sizes)))
    return slots.raw_bytes / weights.raw_bytes
