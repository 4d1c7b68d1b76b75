"""Saxena et al. 2024, tables XV to XVII: Flan-T5, Falcon and LLaMA-2 at 4 bits, on slim members that sum dialogues up.

The paper prints no size (S19), and its Flan-T5 gains 16 to 94 % at 4 bits, which no rounding does; what is claimed here
is what 4 bits can keep. Answers are decoded by the file itself, greedily, with a cache where the model has one.
"""

from __future__ import annotations

import numpy as np
import pytest

from benches.saxena2024.latency import latency_ratio
from compress.claims.bound import Estimate, at_least, at_most
from compress.claims.claim import claim
from compress.claims.statistics import mean_interval
from compress.workbench import Cell

pytestmark = pytest.mark.scale("embedded")

TABLES = {"flan_t5": "XV", "falcon": "XVI", "llama2": "XVII"}
RECIPES = ["nf4@onnx", "int4@onnx", "int4"]

every_subject = pytest.mark.parametrize("subject", TABLES)


def packed_share(cell: Cell) -> float:
    """Return the bytes of vectors, matrices, tables and scales over those of the float32 file in the same runtime.

    What has more axes is no parameter: Flan-T5's position biases, which the converter unrolls from tables of 32 x 4 to
    every pair of positions, are 24 % of its 4-bit file.
    """
    kept, original = (
        sum(
            part.bytes
            for part in one.parts
            if part.kind == "scales" or (part.kind == "weights" and len(part.shape) < 3)
        )
        for one in (cell, cell.reference)
    )
    return kept / original


@claim(
    "saxena2024/V-C/llm-4bit-size",
    at_most(
        0.16,
        why="of float32's: (4 + 32/64)/32 = 0.141, tables (4 + 32/32)/32 = 0.156, vectors whole; float16 would be 0.5",
    ),
    kind="number",
)
@pytest.mark.parametrize("subject", [*TABLES, "llama2_dialogsum"])
def test_nf4_leaves_under_a_sixth_of_the_parameters_bytes(subject, compressed):
    return packed_share(compressed(subject, "nf4@onnx"))


def lost_percent(cell: Cell) -> Estimate:
    """Return what the file scores below float32, in percent of float32's mean, paired prompt by prompt."""
    before, after = cell.reference._scores().values, cell._scores().values
    differences = 100 * (np.asarray(before, np.float64) - after) / float(np.mean(before))
    low, high = mean_interval(differences)
    return Estimate(float(differences.mean()), low, high, "% of ROUGE-L", len(differences))


@claim(
    "saxena2024/V-C/llm-4bit-comparable",
    at_most(1, why="percent of float32's ROUGE-L, paired; the paper's Falcon and LLaMA-2 lose 0.1 to 0.8 (S19)"),
    kind="trend",
)
@every_subject
@pytest.mark.parametrize("recipe", ["nf4@onnx"])
def test_nf4_keeps_rouge_l_within_a_percent(subject, recipe, compressed, report_table):
    table = report_table(
        "slim language models at 4 bits: dialogues summed up by the file itself",
        ("subject", "recipe", "bytes", "of float32", "ROUGE-L", "float32", "latency of float32's"),
    )
    for one in RECIPES:
        cell = compressed(subject, one)
        table.rows.append(
            (
                subject,
                one,
                f"{cell.raw_bytes:,}",
                f"{1 / cell.size_ratio:.3f}",
                f"{cell.score.value:.4f}",
                f"{cell.reference.score.value:.4f}",
                f"{latency_ratio(cell, cell.reference).value:.2f}x",
            )
        )
    return lost_percent(compressed(subject, recipe))


@claim(
    "saxena2024/V-C/llm-4bit-comparable",
    at_least(
        1,
        why="dB of outputs that GPTQ gains on rounding to nearest, whose error it makes good; an identity Hessian: 0",
    ),
    kind="trend",
)
@pytest.mark.parametrize(
    ("gptq", "nearest"),
    [
        ("int4(method=gptq)@onnx", "int4@onnx"),
        # 784 inputs are no multiple of LiteRT's blocks
        ("int4(method=gptq, granularity=channel)", "int4(granularity=channel)"),
    ],
)
def test_gptq_errs_less_than_rounding_to_nearest(gptq, nearest, compressed):
    before, after = (compressed("lenet_300_100", recipe).value("output_sqnr_db") for recipe in (nearest, gptq))
    return after - before
