"""Saxena et al. 2024, tables XV to XVII, "Average Inference time": whole answers at 4 bits beside float32's.

An answer is read and written by one thread, token by token with a cache of keys and values; Flan-T5's file has none and
reads all of its dialogue for each token. The paper's times are of 7B models on hardware that it does not state: what
compares is how many times as long 4 bits take.
"""

from __future__ import annotations

import math

import pytest

from benches.saxena2024.latency import BETWEEN_PROCESSES, SIDES
from benches.saxena2024.printed import ANSWER_TIME, answer_time_ratio, cells
from compress.claims.bound import Estimate, at_least
from compress.claims.claim import claim
from compress.workbench import Cell

pytestmark = pytest.mark.scale("embedded")

TABLES = {"flan_t5": "XV", "falcon": "XVI", "llama2": "XVII"}


def answer_ratio(compressed: Cell, original: Cell) -> Estimate:
    """Return the mean time of an answer of `compressed` over that of `original`; limits as of `latency_ratio`."""
    ratio = compressed.value("generation_time_s") / original.value("generation_time_s")
    spread = math.exp(SIDES * BETWEEN_PROCESSES)
    return Estimate(ratio, ratio / spread, ratio * spread, "x the time of an answer")


@claim(
    "saxena2024/V-C/llm-4bit-size",
    at_least(
        1, why="times float32's: codes are looked up before they are multiplied; below 1 if part of it is not read"
    ),
    kind="trend",
)
@pytest.mark.parametrize("subject", TABLES)
def test_4_bits_make_no_answer_faster(subject, compressed, report_table):
    cell = compressed(subject, "nf4@onnx")
    found = answer_ratio(cell, cell.reference)
    table = report_table(
        "time of an answer, prompt and all its tokens, one thread; printed: seconds of the full-size model",
        ("subject", "float32, ms", "nf4, ms", "ratio", "a token more, ms", "printed original", "printed 4Bit", "ratio"),
    )
    printed = (cells(TABLES[subject], column)[ANSWER_TIME] for column in ("Original", "4Bit"))
    table.rows.append(
        (
            subject,
            *(f"{1e3 * one.value('generation_time_s'):.1f}" for one in (cell.reference, cell)),
            f"{found.value:.2f}x",
            f"{1e3 * cell.value('latency_s'):.3f}",
            *(f"{seconds:.2f}" for seconds in printed),
            f"{answer_time_ratio(TABLES[subject]):.2f}x",
        )
    )
    return found
