"""NIST: n-gram precision in which a common n-gram counts the information it carries (Doddington 2002, equations 2, 3).

Several references work as in ``mteval-v13a``: an n-gram matches as often as the reference that has it most, and the
length is held against the references' average. NLTK's ``corpus_nist`` instead takes one reference an order, its best,
and differs where there are several.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from compress.measure.text.corpus import Corpus, Words, ngrams

ORDER = 5

BETA = math.log(0.5) / math.log(1.5) ** 2
"""Makes the penalty of a text of two thirds of the references' length 0.5."""


def corpus_nist(corpus: Corpus) -> float:
    """Return NIST of all samples together, from 0, without an upper end: lower-case words, to order 5."""
    information = _information(corpus)
    counted = [_counted(*sample, information) for sample in corpus.lowercase_words]
    return _nist([sum(column) for column in zip(*counted, strict=True)])


def sentence_nist(corpus: Corpus) -> NDArray[np.float32]:
    """Return NIST of each sample alone, ``(n,)``, by the information of the references of all samples."""
    information = _information(corpus)
    return np.array([_nist(_counted(*sample, information)) for sample in corpus.lowercase_words], np.float32)


def _information(corpus: Corpus) -> dict[Words, float]:
    """Return each reference n-gram's information, in bits: how little its first words foretell its last."""
    counts: Counter[Words] = Counter()
    for _, references in corpus.lowercase_words:
        for reference in references:
            counts[()] += len(reference)
            for n in range(1, ORDER + 1):
                counts.update(ngrams(reference, n))
    return {ngram: math.log2(counts[ngram[:-1]] / count) for ngram, count in counts.items() if ngram}


def _counted(hypothesis: Words, references: tuple[Words, ...], information: dict[Words, float]) -> list[float]:
    """Return a sample's common information and number of n-grams, an order each, and the two lengths."""
    found: list[float] = []
    for n in range(1, ORDER + 1):
        own, most = ngrams(hypothesis, n), Counter[Words]()
        for reference in references:
            most |= ngrams(reference, n)
        found += [sum(information[ngram] * count for ngram, count in (own & most).items()), own.total()]
    return [*found, len(hypothesis), sum(map(len, references)) / len(references)]


def _nist(counted: list[float]) -> float:
    *orders, length, reference_length = counted
    precision = sum(common / total for common, total in zip(orders[::2], orders[1::2], strict=True) if total)
    if length == 0 or reference_length == 0:
        return 0.0
    return precision * math.exp(BETA * math.log(min(length / reference_length, 1.0)) ** 2)
