"""Saxena et al. 2024, tables XV to XVII and V-C, by arithmetic: what Flan-T5-Large, Falcon-7B and LLaMA-2-7B weigh.

No size is printed anywhere for 4 bits (S19), so these are derived from the configurations: nothing is allocated. What
the formula says of a file is measured on one layer of LLaMA-2-7B at its real size, seeded, packed and run.
"""

from __future__ import annotations

import pytest

from benches.saxena2024.four_bit_size import model_bytes
from benches.saxena2024.latency import latency_ratio
from compress.claims.bound import Bound, at_least, at_most, between, exactly
from compress.claims.claim import claim
from fixtures.llama_layer import weights as layer_weights
from fixtures.published_sizes import falcon, flan_t5, llama2

pytestmark = pytest.mark.scale("paper")

MODELS = {"Flan-T5-Large": flan_t5, "Falcon-7B": falcon, "LLaMA-2-7B": llama2}
GB = 1e9

FORMATS = {"int4@onnx": ("int4", 32), "int4(64)@onnx": ("int4", 64), "nf4@onnx": ("nf4", 64)}
"""Recipe -> how it stores a matrix, and in blocks of how many values."""

LAYER = "llama2_7b_layer_1"
"""One token, as every step of decoding takes."""

GRAPH_SHAPES = ((1, 128), (1, 1), ())
"""Constants of the graph that are no parameters: rotary angles, the mask, epsilon and the scale of scores."""


def bits_of_a_matrix(recipe: str) -> Bound:
    block = FORMATS[recipe][1]
    bits = 4 + 32 / block
    why = f"of float32: (4 + 32/{block}) / 32 = {bits / 32:.4f}, and vectors in float32; S19: no size is printed"
    return between(bits / 32, bits / 32 + 0.001, why=f"{why}; 8 bits would be 0.25, unpacked nibbles too")


@claim("saxena2024/V-C/llm-4bit-size", bits_of_a_matrix, kind="theorem")
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("recipe", FORMATS)
def test_a_4_bit_model_is_a_sixth_or_a_seventh_of_float32(recipe, model, report_table):
    original, packed = (model_bytes(MODELS[model](), *storage) for storage in (("float32", 0), FORMATS[recipe]))
    report_table(
        "language models by their configurations, in GB; the paper prints no size for 4 bits",
        ("model", "recipe", "float32", "float16", "4 bits", "of float32"),
    ).rows.append(
        (
            model,
            recipe,
            f"{original / GB:.2f}",
            f"{original / 2 / GB:.2f}",
            f"{packed / GB:.2f}",
            f"{packed / original:.3f}",
        )
    )
    return packed / original


@claim(
    "saxena2024/V-C/llm-4bit-size",
    exactly(0, why="bytes of weights and scales over the formula: what the 7B figures are derived by"),
    kind="theorem",
)
@pytest.mark.parametrize("recipe", FORMATS)
def test_a_real_layer_weighs_what_the_formula_says(recipe, compressed):
    parts = compressed(LAYER, recipe).parts
    constants = sum(part.bytes for part in parts if part.kind in ("weights", "scales"))
    own = sum(part.bytes for part in parts if part.kind == "weights" and part.shape in GRAPH_SHAPES)
    return constants - own - model_bytes(layer_weights(), *FORMATS[recipe])


@claim(
    "saxena2024/V-C/llm-4bit-size",
    at_most(0.16, why="file over file: 0.156 in blocks of 32, 0.141 of 64; a file that kept floats would be above 1"),
    kind="number",
)
@pytest.mark.parametrize("recipe", FORMATS)
def test_a_real_layer_shrinks_to_under_a_sixth(recipe, compressed):
    return 1 / compressed(LAYER, recipe).size_ratio


@claim(
    "saxena2024/V-C/llm-4bit-comparable",
    at_least(
        15, why="dB of outputs, weights normal: 4 bits keep 20 of a matrix; codes in the wrong order would give 0"
    ),
    kind="trend",
)
@pytest.mark.parametrize("recipe", FORMATS)
def test_a_real_layer_answers_like_its_float32(recipe, compressed, report_table):
    cell = compressed(LAYER, recipe)
    ratio = latency_ratio(cell, cell.reference)
    report_table(
        "one layer of LLaMA-2-7B, one token, one thread; the paper prints 1.4 to 2.7 times the time at 4 bits",
        ("recipe", "MB", "of float32", "SQNR, dB", "latency of float32's"),
    ).rows.append(
        (
            recipe,
            f"{cell.raw_bytes / 1e6:.1f}",
            f"{1 / cell.size_ratio:.3f}",
            f"{cell.value('output_sqnr_db'):.1f}",
            f"{ratio.value:.2f}x",
        )
    )
    return cell.value("output_sqnr_db")
