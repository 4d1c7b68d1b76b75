"""Exact match and F1 of answers to questions, as the evaluation script of SQuAD v1.1 computes them.

Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text", section 6.1.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize_answer(text: str) -> str:
    """Return the answer in lower case without ASCII punctuation, articles and superfluous spaces, in this order."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def f1_score(prediction: str, answer: str) -> float:
    """Return the harmonic mean of precision and recall of the answer's words; 0 where no word is common.

    Version 1.1 has no unanswerable questions: two answers that both come to nothing have no common word.
    """
    predicted, gold = normalize_answer(prediction).split(), normalize_answer(answer).split()
    common = (Counter(predicted) & Counter(gold)).total()
    return 2 * common / (len(predicted) + len(gold)) if common else 0.0


def exact_match_score(prediction: str, answer: str) -> float:
    """Return 1 where both answers are the same once normalized, else 0."""
    return float(normalize_answer(prediction) == normalize_answer(answer))


def f1_scores(predictions: Sequence[str], answers: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """Return each question's F1 by the best of its gold answers, ``(n,)``; SQuAD's F1 is 100 times the mean.

    Raises `DataError` when the two differ in length, or a question has no answer.
    """
    return _best(f1_score, predictions, answers)


def exact_matches(predictions: Sequence[str], answers: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """Return each question's exact match by the best of its gold answers, ``(n,)``. Errors as `f1_scores`."""
    return _best(exact_match_score, predictions, answers)


def _best(
    score: Callable[[str, str], float], predictions: Sequence[str], answers: Sequence[Sequence[str]]
) -> NDArray[np.float32]:
    if len(predictions) != len(answers):
        raise DataError(f"{len(predictions)} predictions and answers to {len(answers)} questions: one each is scored")
    for index, gold in enumerate(answers):
        if isinstance(gold, str) or len(gold) == 0:
            raise DataError(f"question {index}: gold answers are a list of at least one text, got {gold!r:.60}")
    return np.array(
        [max(score(one, each) for each in gold) for one, gold in zip(predictions, answers, strict=True)], np.float32
    )
