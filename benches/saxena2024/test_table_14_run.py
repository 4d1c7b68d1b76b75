"""Saxena et al. 2024, table XIV, on a slim GPT-2: trained on many wordings, adapted to one house style (S18).

The base answers in any wording it knows; adapters of its queries and values, or all of its weights, learn the style of
2,000 examples in the same epochs. 200 meanings of names and kinds that were not trained on together, one text each.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from compress.claims.bound import Bound, Estimate, at_least
from compress.claims.claim import claim
from compress.claims.statistics import mean_interval
from compress.measure.text.scores import LABELS, score_texts, sentence_scores
from compress.suite import PrintedTable
from compress.workbench import Cell
from fixtures.gpt2_restyled import said

pytestmark = pytest.mark.scale("embedded")

SUBJECT = "gpt2_restyled"
METRICS = ["bleu", "nist", "meteor", "rouge_l", "cider"]
RECIPES = {"as it was": "float32", "r=4": "lora(4)", "r=64": "lora(64)", "Full Finetuning": "retrain"}

every_metric = pytest.mark.parametrize("metric", METRICS)


def texts(cell: Cell) -> tuple[list[str], list[list[str]]]:
    assert cell.measurement.outputs is not None
    return said(cell.measurement.outputs, cell.workbench.data(cell.subject).evaluation_y)


def gained(metric: str, before: Cell, after: Cell) -> Estimate:
    """Return what `after` scores above `before`, the mean over the same samples with its interval (95 % a side)."""
    differences = sentence_scores(metric, *texts(after)) - sentence_scores(metric, *texts(before))
    low, high = mean_interval(differences)
    return Estimate(float(np.mean(differences, dtype=np.float64)), low, high, "", len(differences))


def told(report_table: Callable[..., PrintedTable], compressed: Callable[[str, str], Cell]) -> None:
    table = report_table(
        "a slim GPT-2 adapted to a house style, n=200",
        ("trained", *(LABELS[metric] for metric in METRICS)),
    )
    if not table.rows:
        for name, recipe in RECIPES.items():
            scores = score_texts(*texts(compressed(SUBJECT, recipe)))
            table.rows.append((name, *(f"{getattr(scores, metric):.3f}" for metric in METRICS)))


def above(metric: str) -> Bound:
    least = {"bleu": 0.3, "nist": 1.5, "meteor": 0.1, "rouge_l": 0.2, "cider": 2}[metric]
    why = "half of what rank 4 gained (0.6, 3.5, 0.24, 0.44, 7); 0 if adapters are not trained, or not merged"
    return at_least(least, why=why)


@claim("saxena2024/table-XIV", above, kind="trend")
@every_metric
@pytest.mark.parametrize("recipe", ["lora(4)", "lora(64)", "retrain"])
def test_adapting_gains_on_every_metric(metric, recipe, compressed, report_table):
    told(report_table, compressed)
    return gained(metric, compressed(SUBJECT, "float32"), compressed(SUBJECT, recipe))
