"""Text metrics of a model that answers with token ids: BLEU, ROUGE and the others, a token as a word.

    outputs  (n, L)                       token ids; those below 0 are padding
    labels   (n, L) or (n, references, L) the same; a reference of padding only is none

Tokens are no words: values differ from those of the texts, which `compress.measure.text.scores` gives once they are
decoded.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError
from compress.measure.text.corpus import Corpus
from compress.measure.text.scores import BY_SENTENCE, corpus_score
from compress.records import are_records, shown


def token_scores(outputs: NDArray[Any], labels: NDArray[Any], metric: str) -> NDArray[np.float32]:
    """Return the score of each sample by `metric`, a field of `compress.measure.text.scores.TextScores`: ``(n,)``.

    Raises `DataError` when outputs or labels are no token ids, or a sample has no reference.
    """
    return BY_SENTENCE[metric](_corpus(outputs, labels))


def token_score(outputs: NDArray[Any], labels: NDArray[Any], metric: str) -> float:
    """Return the score of all samples together. Arguments and errors as of `token_scores`."""
    return corpus_score(metric, _corpus(outputs, labels))


def _corpus(outputs: NDArray[Any], labels: NDArray[Any]) -> Corpus:
    answers = _ids(outputs, "outputs", (2,))
    references = _ids(labels, "labels", (2, 3))
    if references.ndim == 2:
        references = references[:, None]
    listed = [[text for text in map(_text, each) if text] for each in references]
    return Corpus([_text(answer) for answer in answers], listed, tokenised=True)


def _ids(array: NDArray[Any], what: str, dimensions: tuple[int, ...]) -> NDArray[np.int64]:
    """Return token ids as whole numbers: a runtime hands them out as float32."""
    plain = not are_records(array) and array.ndim in dimensions and array.dtype.kind in "iuf"
    if not plain or not np.isfinite(array).all() or (array % 1 != 0).any():
        form = " or ".join({2: "(n, L)", 3: "(n, references, L)"}[each] for each in dimensions)
        raise DataError(
            f"{what} are {shown(array)} of {array.dtype}, and token ids are whole numbers {form}; logits have to be "
            "decoded: in the model, or by a metric of your own, module:function"
        )
    return array.astype(np.int64)


def _text(ids: NDArray[np.int64]) -> str:
    return " ".join(str(each) for each in ids.tolist() if each >= 0)


bleu, nist, meteor, cider = (partial(token_scores, metric=metric) for metric in ("bleu", "nist", "meteor", "cider"))
rouge_1, rouge_2, rouge_l = (partial(token_scores, metric=metric) for metric in ("rouge_1", "rouge_2", "rouge_l"))
corpus_bleu, corpus_nist = (partial(token_score, metric=metric) for metric in ("bleu", "nist"))
