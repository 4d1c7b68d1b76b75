"""Token ids score as the words of a text would, padding left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import DataError
from compress.measure.quality import JUDGES, find_judge
from compress.measure.text.scores import score_texts, sentence_scores

METRICS = ("bleu", "nist", "meteor", "rouge_1", "rouge_2", "rouge_l", "cider")

SAMPLES = st.lists(
    st.tuples(
        st.lists(st.integers(0, 12), max_size=6),
        st.lists(st.lists(st.integers(0, 12), min_size=1, max_size=6), min_size=1, max_size=2),
    ),
    min_size=1,
    max_size=3,
)


def padded(ids, length=6):
    return [*ids, *[-1] * (length - len(ids))]


@given(SAMPLES)
@settings(max_examples=15)
def test_every_text_metric_takes_tokens_for_words(samples):
    outputs = np.array([padded(answer) for answer, _ in samples], np.float32)  # as a runtime hands ids out
    labels = np.array([[padded(each) for each in (references * 2)[:2]] for _, references in samples])
    texts = [" ".join(map(str, answer)) for answer, _ in samples]
    references = [[" ".join(map(str, each)) for each in (given * 2)[:2]] for _, given in samples]
    for metric in METRICS:
        expected = sentence_scores(metric, texts, references, tokenised=True)
        np.testing.assert_array_equal(find_judge(metric)(outputs, labels), expected)
    together = score_texts(texts, references, tokenised=True)
    assert JUDGES["bleu"].of_all(outputs, labels) == together.bleu
    assert JUDGES["nist"].of_all(outputs, labels) == together.nist
    assert JUDGES["rouge_l"].of_all(outputs, labels) is None


def test_rouge_l_of_ids_is_counted_by_hand():
    outputs, labels = np.array([[7, 8, 9, -1], [1, 2, 3, 4]]), np.array([[7, 9, -1, -1], [5, 6, 7, 8]])
    assert find_judge("rouge_l")(outputs, labels).tolist() == [pytest.approx(2 * 2 / (3 + 2)), 0]


def test_one_reference_a_sample_needs_no_axis_and_references_of_padding_are_none():
    outputs, one = np.array([[1, 2, 3]]), np.array([[1, 2, 4]])
    several = np.array([[[1, 2, 4], [-1, -1, -1]]])
    assert find_judge("bleu")(outputs, one).tolist() == find_judge("bleu")(outputs, several).tolist()


@pytest.mark.parametrize(
    ("outputs", "labels", "said"),
    [
        (np.zeros((2, 5, 9)), np.zeros((2, 5), int), "outputs are .* token ids are whole numbers.*logits"),
        (np.array([[0.5, 1]]), np.zeros((1, 2), int), "outputs are"),
        (np.array([[np.inf, 1]]), np.zeros((1, 2), int), "outputs are"),
        (np.zeros((2, 5)), np.zeros(2, int), r"labels are \(2,\).*\(n, L\) or \(n, references, L\)"),
        (np.zeros((2, 5)), np.full((2, 5), -1), "sample 0: a text has a list of one or more references"),
        (np.zeros((2, 5)), np.zeros((3, 5), int), "do not belong together"),
    ],
)
def test_what_are_no_token_ids_is_refused(outputs, labels, said):
    with pytest.raises(DataError, match=said):
        find_judge("bleu")(outputs, labels)
