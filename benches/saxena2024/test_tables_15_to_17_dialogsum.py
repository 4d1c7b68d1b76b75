"""Saxena et al. 2024, tables XV to XVII, on their own data: DialogSum summed up by a slim LLaMA-2 at 4 bits.

Where ``$COMPRESS_DATA_DIR`` has the set. The model has read its 500 dialogues to develop on and nothing else; what that
is worth is told by trivial answers beside it, and what 4 bits take from it is asked of each of the tables' six scores.
Given people's summaries up to a piece, NF4 costs it 0.002 of 3.39 nats for the next one, yet finds another likeliest at
18 % of them: no answer stays as it was, and the scores of other answers scatter far more than 1 %.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from benches.saxena2024.printed import ANSWER_TIME, cells
from compress.claims.bound import Bound, Estimate, at_least, at_most
from compress.claims.claim import claim
from compress.claims.statistics import mean_interval
from compress.measure.text.scores import LABELS, score_texts, sentence_scores
from compress.workbench import Cell
from fixtures.generative import answers
from fixtures.language import dialogsum
from fixtures.llama2_dialogsum import TOKENIZER, asked

pytestmark = pytest.mark.scale("embedded")

SUBJECT = "llama2_dialogsum"
METRICS = {
    "rouge_1": "rouge1",
    "rouge_2": "rouge2",
    "rouge_l": "rougeL",
    "rouge_lsum": "rougeLsum",
    "bleu": "bleu",
    "meteor": "meteor",
}
"""Our names of the tables' scores, and theirs."""
RECIPES = ["float32@onnx", "nf4@onnx", "int4@onnx"]
"""LiteRT takes three times as long for an answer of so many tokens, for the same question."""
ORIGINALS = {"XV": "Flan-T5-Large", "XVI": "Falcon-7B", "XVII": "LLaMA-2-7B"}

every_metric = pytest.mark.parametrize("metric", METRICS)


@cache
def references() -> list[list[str]]:
    return [list(summaries) for _, summaries in asked()]


@cache
def trivial() -> dict[str, list[str]]:
    """Return answers that need no model: the first thing said, and what sums up some other dialogue."""
    others = [summaries[0] for _, summaries in dialogsum.read("train")]
    return {
        "the dialogue's first turn": [dialogue.split("\n")[0] for dialogue, _ in asked()],
        "another dialogue's summary": others[: len(asked())],
    }


def texts(cell: Cell) -> list[str]:
    assert cell.measurement.outputs is not None
    return answers(cell.measurement.outputs, TOKENIZER)


def lost_percent(metric: str, before: list[str], after: list[str]) -> Estimate:
    """Return how far `after` scores below `before`, dialogue by dialogue, in percent of the mean of `before`."""
    one, other = (np.asarray(sentence_scores(metric, said, references()), np.float64) for said in (before, after))
    lost = 100 * (one - other) / one.mean()
    low, high = mean_interval(lost)
    return Estimate(float(lost.mean()), low, high, f"% of {LABELS[metric]}", len(lost))


def row(said: list[str]) -> list[str]:
    scores = score_texts(said, references())
    return [f"{getattr(scores, metric):.4f}" for metric in METRICS]


def told(compressed, report_table) -> None:
    """Add the printed models, this one's files and the trivial answers to the report."""
    table = report_table(
        "DialogSum summed up, 0 to 1: printed, on an unknown part of it; below, 120 dialogues of its test file, the "
        "first 224 tokens of each",
        ("answers by", *METRICS.values(), "s an answer"),
    )
    if table.rows:
        return
    for number, name in ORIGINALS.items():
        for column, bits in (("Original", ""), ("4Bit", ", 4 bits")):
            printed = cells(number, column)
            values = (f"{printed[metric]:.4f}" for metric in METRICS.values())
            table.rows.append((f"printed: {name}{bits}", *values, f"{printed[ANSWER_TIME]:.2f}"))
    for recipe in RECIPES:
        cell = compressed(SUBJECT, recipe)
        took = cell.measurement.values.get("generation_time_s")
        table.rows.append((f"slim LLaMA-2, {recipe}", *row(texts(cell)), "-" if took is None else f"{took:.3f}"))
    table.rows.extend((name, *row(said), "-") for name, said in trivial().items())


def little(metric: str, recipe: str) -> Bound:
    if (metric, recipe) == ("rouge_l", "nf4@onnx"):
        return at_most(1, why="percent of float32's ROUGE-L, paired; 120 answers leave 5 either way")
    return at_most(
        30,
        why="percent of float32's score lost, paired: a model this unsure words every answer anew at 4 bits, counts "
        "of word pairs then move by a fifth either way; the printed Falcon and LLaMA-2 lose at most 1.5 (S19)",
    )


@claim("saxena2024/V-C/llm-4bit-comparable", little, kind="trend")
@every_metric
@pytest.mark.parametrize("recipe", ["nf4@onnx", "int4@onnx"])
def test_4_bits_take_little_of_what_real_dialogues_score(metric, recipe, compressed, report_table):
    cell = compressed(SUBJECT, recipe)
    told(compressed, report_table)
    return lost_percent(metric, texts(cell.reference), texts(cell))


@claim(
    "saxena2024/V-C/llm-4bit-comparable",
    at_most(0, why="percent: a summary of another dialogue scores below the model's own; 0 if it answered by chance"),
    kind="trend",
)
@pytest.mark.parametrize("metric", ["rouge_1", "rouge_l"])
@pytest.mark.parametrize("recipe", ["float32@onnx", "nf4@onnx", "int4@onnx"])
def test_answers_score_above_the_summaries_of_other_dialogues(metric, recipe, compressed):
    said = texts(compressed(SUBJECT, recipe))
    return lost_percent(metric, trivial()["another dialogue's summary"], said)


@claim(
    "saxena2024/V-C/llm-4bit-comparable",
    at_least(50, why="percent of answers worded otherwise than float32's: what is compared is not the same file twice"),
    kind="trend",
)
@pytest.mark.parametrize("recipe", ["nf4@onnx", "int4@onnx"])
def test_4_bits_word_answers_otherwise(recipe, compressed):
    cell = compressed(SUBJECT, recipe)
    return 100 * float(np.mean([one != other for one, other in zip(texts(cell.reference), texts(cell), strict=True)]))
