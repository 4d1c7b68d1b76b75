"""All text metrics of a model's answers at once, as the papers' tables print them, or one sample by sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.text.bleu import corpus_bleu, sentence_bleu
from compress.measure.text.cider import cider
from compress.measure.text.corpus import Corpus
from compress.measure.text.meteor import meteor
from compress.measure.text.nist import corpus_nist, sentence_nist
from compress.measure.text.rouge import rouge

BY_SENTENCE: dict[str, Callable[[Corpus], NDArray[np.float32]]] = {
    "bleu": sentence_bleu,
    "nist": sentence_nist,
    "meteor": meteor,
    "rouge_1": partial(rouge, kind="rouge1"),
    "rouge_2": partial(rouge, kind="rouge2"),
    "rouge_l": partial(rouge, kind="rougeL"),
    "rouge_lsum": partial(rouge, kind="rougeLsum"),
    "cider": cider,
}
"""Name of a metric -> its score of each sample."""

BY_CORPUS: dict[str, Callable[[Corpus], float]] = {"bleu": corpus_bleu, "nist": corpus_nist}
"""Those whose score of a corpus is not the mean over its samples."""

LABELS = {
    "bleu": "BLEU",
    "nist": "NIST",
    "meteor": "METEOR (exact, stem)",
    "rouge_1": "ROUGE-1",
    "rouge_2": "ROUGE-2",
    "rouge_l": "ROUGE-L",
    "rouge_lsum": "ROUGE-Lsum",
    "cider": "CIDEr-D",
}
"""What each is called where people read it."""


@dataclass(frozen=True)
class TextScores:
    """Scores of a corpus: fractions from 0 to 1, but for ``cider``, to 10, and ``nist``, which has no upper end.

    ``bleu`` and ``nist`` are of all samples together, the others means over the samples. ``meteor`` knows no synonyms
    (`compress.measure.text.meteor`).
    """

    bleu: float
    nist: float
    meteor: float
    rouge_1: float
    rouge_2: float
    rouge_l: float
    rouge_lsum: float
    cider: float


def score_texts(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]], *, tokenised: bool = False
) -> TextScores:
    """Return all scores of `hypotheses`, one text a sample, against `references`, one or more texts a sample.

    `tokenised` texts are tokens with spaces between them. Raises `DataError` when the two do not belong together, or a
    library is missing.
    """
    corpus = Corpus(hypotheses, references, tokenised)
    return TextScores(**{metric: corpus_score(metric, corpus) for metric in BY_SENTENCE})


def sentence_scores(
    metric: str, hypotheses: Sequence[str], references: Sequence[Sequence[str]], *, tokenised: bool = False
) -> NDArray[np.float32]:
    """Return the score of each sample by `metric`, a field of `TextScores`: ``(n,)``, to pair two models by.

    Raises `DataError` as `score_texts`, and for a metric that does not exist.
    """
    if metric not in BY_SENTENCE:
        raise DataError(f"no text metric {metric!r}; there are {', '.join(BY_SENTENCE)}")
    return BY_SENTENCE[metric](Corpus(hypotheses, references, tokenised))


def corpus_score(metric: str, corpus: Corpus) -> float:
    """Return the score of all samples of `corpus` by `metric`, a field of `TextScores`."""
    if metric in BY_CORPUS:
        return BY_CORPUS[metric](corpus)
    return float(BY_SENTENCE[metric](corpus).mean(dtype=np.float64))
