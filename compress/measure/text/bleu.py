"""BLEU: the geometric mean of clipped n-gram precisions to order 4, times a penalty for brevity (Papineni et al. 2002).

Computed by sacrebleu (Post 2018): `mteval-v13a` words, upper and lower case kept, the closest reference length.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.measure.extra import published
from compress.measure.text.corpus import Corpus

ORDER = 4


def corpus_bleu(corpus: Corpus, order: int = ORDER) -> float:
    """Return BLEU of all samples together, from 0 to 1, unsmoothed: 0 where no 4-gram is right, or none is long enough.

    Only n-grams up to `order` count; at 1 and without brevity it is the modified unigram precision.
    """
    metric = _metric(corpus, smooth_method="none", max_ngram_order=order)
    # as many reference streams as the sample with most references has; others miss some
    streams = [list(stream) for stream in itertools.zip_longest(*corpus.references)]
    return float(metric.corpus_score(list(corpus.hypotheses), streams).score) / 100


def sentence_bleu(corpus: Corpus) -> NDArray[np.float32]:
    """Return BLEU of each sample alone, ``(n,)``, from 0 to 1: for pairing, and no parts of the corpus' BLEU.

    Orders longer than the text are left out, and the others smoothed by sacrebleu's ``exp`` (Chen and Cherry 2014,
    method 3), as a sentence without a common 4-gram would be 0 otherwise.
    """
    metric = _metric(corpus, smooth_method="exp", effective_order=True)
    scores = [
        metric.sentence_score(hypothesis, list(references)).score / 100
        for hypothesis, references in zip(corpus.hypotheses, corpus.references, strict=True)
    ]
    return np.minimum(np.array(scores, np.float32), np.float32(1))  # which rounding may exceed


def _metric(corpus: Corpus, **options: object) -> Any:
    return published("sacrebleu.metrics").BLEU(tokenize="none" if corpus.tokenised else "13a", force=True, **options)
