"""Adapters on a 4-bit base (QLoRA, Dettmers et al. 2023): tables XIV and XV to XVII put together, on the slim GPT-2.

The base's matrices are rounded to NF4 in blocks of 64 with doubly quantized scales, embeddings are not; adapters are
float32, and so is the file, merged: what is compared is what was trained, and not the runtime's arithmetic.
"""

from __future__ import annotations

import numpy as np
import pytest

from benches.saxena2024.test_table_14_run import SUBJECT, gained, texts
from compress.claims.bound import Estimate, at_least, at_most
from compress.claims.claim import claim
from compress.claims.statistics import mean_interval
from compress.measure.text.scores import LABELS, score_texts, sentence_scores

pytestmark = pytest.mark.scale("embedded")

METRICS = ["bleu", "meteor", "rouge_l"]
ROUNDED, ON_FLOAT32, ON_4_BITS = "lora(4, base=nf4, epochs=0)", "lora(4)", "lora(4, base=nf4)"
TRAINED = {"float32": "float32", "NF4": ROUNDED, "float32 and adapters": ON_FLOAT32, "NF4 and adapters": ON_4_BITS}


@claim(
    "saxena2024/V-C/llm-lora-best",
    at_least(0.1, why="above the 4-bit base that they are trained on; 0 if adapters are not trained, or not merged"),
    kind="trend",
)
@pytest.mark.parametrize("metric", METRICS)
def test_adapters_of_a_4_bit_base_gain_on_it(metric, compressed, report_table):
    table = report_table(
        "a slim GPT-2 adapted to a house style on a base in float32 and in NF4, n=200",
        ("trained", *(LABELS[one] for one in METRICS)),
    )
    if not table.rows:
        for name, recipe in TRAINED.items():
            scores = score_texts(*texts(compressed(SUBJECT, recipe)))
            table.rows.append((name, *(f"{getattr(scores, one):.3f}" for one in METRICS)))
    return gained(metric, compressed(SUBJECT, ROUNDED), compressed(SUBJECT, ON_4_BITS))


@claim(
    "saxena2024/V-C/llm-4bit-comparable",
    at_most(
        2,
        why="percent of the score that a float32 base's adapters reach, paired text by text; Dettmers et al. 2023, "
        "table 3, find none lost; all of what is gained if the base moved under the adapters",
    ),
    kind="trend",
)
@pytest.mark.parametrize("metric", METRICS)
def test_a_4_bit_base_costs_its_adapters_little(metric, compressed):
    before, after = (sentence_scores(metric, *texts(compressed(SUBJECT, one))) for one in (ON_FLOAT32, ON_4_BITS))
    differences = 100 * (np.asarray(before, np.float64) - after) / float(np.mean(before))
    low, high = mean_interval(differences)
    return Estimate(float(differences.mean()), low, high, f"% of {LABELS[metric]}", len(differences))
