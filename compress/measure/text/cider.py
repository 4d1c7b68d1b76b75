"""CIDEr: how alike a text and its references are in the n-grams that are rare elsewhere (Vedantam et al. 2015).

It is CIDEr-D (section 4.3: counts clipped, a Gaussian penalty for another length), as ``pycocoevalcap`` computes it;
words in lower case, without the punctuation that its tokeniser drops.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from compress.measure.text.corpus import Corpus, Words, ngrams

ORDER = 4
SIGMA = 6.0
"""Words of another length at which the penalty is exp(-1/2)."""
SCALE = 10.0

PUNCTUATION = frozenset({"''", "'", "``", "`", '"', ".", "?", "!", ",", ":", "-", "--", "...", ";", *"()[]{}"})

Vector = tuple[dict[Words, float], float]


def cider(corpus: Corpus) -> NDArray[np.float32]:
    """Return CIDEr-D of each sample, ``(n,)``, from 0 to 10: the mean over its references; a corpus' is the mean.

    An n-gram counts less the more samples have it in their references, and nothing when all do; so of a single sample
    every score is 0.
    """
    samples = [
        (_spoken(hypothesis), [_spoken(each) for each in references])
        for hypothesis, references in corpus.lowercase_words
    ]
    seen_in: Counter[Words] = Counter()
    for _, references in samples:
        seen_in.update({ngram for each in references for n in range(1, ORDER + 1) for ngram in ngrams(each, n)})
    scores = []
    for hypothesis, references in samples:
        own = _vectors(hypothesis, seen_in, len(samples))
        alike = [
            math.exp(-((len(hypothesis) - len(each)) ** 2) / (2 * SIGMA**2))
            * sum(map(_clipped_cosine, own, _vectors(each, seen_in, len(samples))))
            for each in references
        ]
        scores.append(SCALE * sum(alike) / len(alike) / ORDER)
    return np.array(scores, np.float32)


def _spoken(words: Words) -> Words:
    return tuple(word for word in words if word not in PUNCTUATION)


def _vectors(words: Words, seen_in: Counter[Words], samples: int) -> list[Vector]:
    """Return the weight of each n-gram and their norm, for each order: counts by inverse frequency (equation 1)."""
    found = []
    for n in range(1, ORDER + 1):
        weights = {
            ngram: count * math.log(samples / max(1, seen_in[ngram])) for ngram, count in ngrams(words, n).items()
        }
        found.append((weights, math.sqrt(sum(weight**2 for weight in weights.values()))))
    return found


def _clipped_cosine(own: Vector, reference: Vector) -> float:
    (weights, norm), (wanted, wanted_norm) = own, reference
    if norm == 0 or wanted_norm == 0:
        return 0.0
    common = sum(min(weight, wanted.get(ngram, 0.0)) * wanted.get(ngram, 0.0) for ngram, weight in weights.items())
    return common / (norm * wanted_norm)
