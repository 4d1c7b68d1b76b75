"""ROUGE-1, -2, -L and -Lsum: F-measures of common n-grams and longest common subsequences (Lin 2004).

Computed by rouge-score, Google's, by its own words: lower case, letters a to z and digits, unstemmed unless asked.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from compress.measure.extra import published
from compress.measure.text.corpus import Corpus

Kind = Literal["rouge1", "rouge2", "rougeL", "rougeLsum"]


def rouge(corpus: Corpus, kind: Kind, *, use_stemmer: bool = False) -> NDArray[np.float32]:
    """Return each sample's F-measure by its best reference, ``(n,)``, from 0 to 1; a corpus' is the mean.

    ROUGE-L takes a text as one sentence; ROUGE-Lsum takes its lines as sentences (Lin 2004, 3.2).
    """
    scorer = published("rouge_score.rouge_scorer").RougeScorer(
        [kind], use_stemmer=use_stemmer, tokenizer=_Spaces() if corpus.tokenised else None
    )
    scores = [
        scorer.score_multi(list(references), hypothesis)[kind].fmeasure
        for hypothesis, references in zip(corpus.hypotheses, corpus.references, strict=True)
    ]
    return np.array(scores, np.float32)


class _Spaces:
    def tokenize(self, text: str) -> list[str]:
        return text.split()
