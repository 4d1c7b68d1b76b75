"""Saxena et al. 2024, IV-C, on questions by people: MiniLM finds the sentence that answers, before and after (S09).

What Table VI asks for, F1 of DistilBERT's spans, needs weights fine-tuned on SQuAD, and a slim member that knows 260
pieces of a grammar cannot read SQuAD. What an encoder that others have trained loses on real questions can be asked:
of the sentences of a question's paragraph in SQuAD or XQuAD, is the one nearest to it the one with the answer?
"""

from __future__ import annotations

import pytest

from compress.claims.bound import at_least, at_most
from compress.claims.claim import claim
from fixtures.minilm_squad import by_chance

pytestmark = pytest.mark.scale("paper")

N = "n=200 questions"

real_questions = pytest.mark.parametrize("subject", ["minilm_squad"])


@claim(
    "saxena2024/table-VI",
    at_least(0.2, why=f"share of questions answered, above that of sentences drawn by chance; {N}; 0 of lost weights"),
    kind="trend",
)
@real_questions
@pytest.mark.parametrize("recipe", ["float32", "float32@onnx"])
def test_a_pretrained_encoder_finds_the_sentence_that_answers(subject, recipe, compressed):
    cell = compressed(subject, recipe)
    return cell.score.value - by_chance(cell.workbench.data(cell.subject).evaluation_y)


@claim(
    "saxena2024/IV-C/distilbert-dynamic",
    "saxena2024/IV-C/distilbert-float16",
    at_most(0.05, why=f"share of questions lost that were answered; 0.0057 of F1 and 0 printed; {N}"),
    kind="trend",
)
@real_questions
@pytest.mark.parametrize("recipe", ["dynamic_range", "float16", "dynamic_range@onnx", "float16@onnx"])
def test_real_questions_are_answered_alike(subject, recipe, compressed):
    return compressed(subject, recipe).score_drop
