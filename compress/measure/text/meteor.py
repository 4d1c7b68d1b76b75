"""METEOR by exact words and Porter stems: a mean of precision and recall, less for scattered matches.

Banerjee and Lavie 2005, "METEOR: An Automatic Metric for MT Evaluation with Improved Correlation with Human Judgments";
computed by NLTK with its parameters, in lower case. The paper's third stage, synonyms, needs WordNet's data, which no
package carries: without it, values are at most those of full METEOR, and are called ``METEOR (exact, stem)``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from compress.measure.extra import published
from compress.measure.text.corpus import Corpus


def meteor(corpus: Corpus) -> NDArray[np.float32]:
    """Return METEOR (exact, stem) of each sample by its best reference, ``(n,)``, 0 to 1; a corpus' is the mean."""
    library = published("nltk.translate.meteor_score")
    scores = [
        library.meteor_score(references, hypothesis, wordnet=NoSynonyms())
        for hypothesis, references in corpus.lowercase_words
    ]
    return np.array(scores, np.float32)


class NoSynonyms:
    """Stands for WordNet, and knows no word."""

    def synsets(self, word: str) -> list[object]:
        """Return the meanings of `word`: none."""
        del word
        return []
