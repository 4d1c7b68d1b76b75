"""Saxena et al. 2024, Table VI and IV-C, measured: quantized DistilBERT, which answers questions (S04, S08, S09).

What it costs is asked of a slim member of the family, on questions of a grammar; sizes are DistilBERT base's, at the
paper's scale. The paper's int8 file answers next to nothing (F1 0.0475 of 0.79): which mistake does that is asked too.
"""

from __future__ import annotations

import pytest

from benches.saxena2024.printed import MODES, ORIGINAL, cells
from compress.claims.bound import Estimate, at_least, at_most
from compress.claims.claim import claim, unmeasured
from compress.errors import CompressError
from fixtures.language.spans import exact_match

pytestmark = pytest.mark.scale("embedded")

answers_questions = pytest.mark.parametrize("subject", ["distilbert"])

PRINTED = {"float32": ORIGINAL, "dynamic_range": MODES["dynamic"], "float16": MODES["float16"], "int8": MODES["int8"]}
FLOAT = ["dynamic_range", "float16", "dynamic_range@onnx", "float16@onnx"]
INTEGER = ["int8", "int8(engine=ai_edge)", "int8@onnx", "int16x8(engine=ai_edge)", "int16x8@onnx"]
KEPT = ["int8(masks=kept)", "int8(engine=ai_edge, masks=kept)", "int8(masks=kept)@onnx"]
RECIPES = ["float32", "float32@onnx", *FLOAT, *INTEGER, "int16x8"]
N = "n=1,000 questions"


@claim(
    "saxena2024/table-VI",
    at_least(0.85, why=f"a model worth compressing: F1 over the windows of a question; 0.7917 printed; {N}"),
    kind="trend",
)
@answers_questions
@pytest.mark.parametrize("recipe", ["float32", "float32@onnx"])
def test_the_dense_model_answers_questions(subject, recipe, compressed):
    return compressed(subject, recipe).score


@claim(
    "saxena2024/IV-C/distilbert-dynamic",
    "saxena2024/IV-C/distilbert-float16",
    at_most(0.005, why=f"F1 lost, 0.0057 and 0 printed; {N}, the same windows before and after"),
    kind="trend",
)
@answers_questions
@pytest.mark.parametrize("recipe", FLOAT)
def test_dynamic_range_and_float16_answer_alike(subject, recipe, compressed):
    return compressed(subject, recipe).score_drop


@claim(
    "saxena2024/table-VI",
    "saxena2024/IV-C/distilbert-int8-sample",
    at_most(0.03, why=f"F1 lost; 0.744 printed, over an unknown part of 200 questions (S09); {N}"),
    kind="refuted",
)
@answers_questions
@pytest.mark.parametrize("recipe", INTEGER)
def test_integers_answer_nearly_as_well(subject, recipe, compressed):
    return compressed(subject, recipe).score_drop


@claim(
    "saxena2024/table-VI",
    at_least(0.3, why=f"F1 lost where the mask's minus infinity shares a scale with attention's scores; {N}"),
    kind="trend",
)
@answers_questions
@pytest.mark.parametrize("recipe", KEPT)
def test_attention_masks_left_as_they_are_collapse_int8_as_in_the_paper(subject, recipe, compressed):
    return compressed(subject, recipe).score_drop


@claim(
    "saxena2024/table-VI",
    at_most(1, why="exact matches over F1 of the same answers: a whole answer is right or not, F1 counts parts too"),
    kind="theorem",
)
@answers_questions
@pytest.mark.parametrize("recipe", [*RECIPES, *KEPT])
def test_every_recipe_beside_the_paper(subject, recipe, compressed, report_table):
    try:
        cell = compressed(subject, recipe)
    except CompressError as refusal:
        unmeasured(f"refused: {str(refusal).splitlines()[0][:200]}")
    matched = exact_match(cell.measurement.outputs, cell.workbench.data(cell.subject).evaluation_y)
    row = PRINTED.get(recipe)
    printed = [f"{cells('VI', column)[row]:g}" if row else "-" for column in ("F1 Score", "Exact Match")]
    report_table(
        "Saxena et al., Table VI, and a slim DistilBERT beside it: F1 and exact match in 0 to 1, 1,000 questions",
        ("recipe", "F1: paper", "here", "F1 lost", "90 % interval", "EM: paper", "here", "kB", "float32 over it"),
    ).rows.append(
        (
            recipe,
            printed[0],
            f"{cell.score.value:.4f}",
            f"{cell.score_drop.value:+.4f}",
            f"{cell.score_drop.low:+.4f} .. {cell.score_drop.high:+.4f}",
            printed[1],
            f"{matched.mean():.4f}",
            f"{cell.raw_bytes / 1e3:.0f}",
            f"{cell.size_ratio:.2f}",
        )
    )
    ratio = float(matched.mean()) / max(cell.score.value, 1e-9)
    return Estimate(ratio, ratio, ratio, n=len(matched))
