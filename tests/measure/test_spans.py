"""Spans are the best of all, and score by the positions that they share with a gold one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import DataError
from compress.measure.spans import best_spans, exact_match, f1
from compress.records import records


def logits(*spans, length=6):
    """Return the answers (n, 6, 2) of a model that is sure of each span."""
    found = np.zeros((len(spans), length, 2), np.float32)
    for sample, (first, last) in enumerate(spans):
        found[sample, first, 0] = found[sample, last, 1] = 5
    return found


@given(st.integers(1, 7), st.integers(0, 10_000))
def test_the_best_span_is_that_of_all_that_do_not_end_before_they_start(length, seed):
    outputs = np.random.default_rng(seed).integers(-2, 3, (3, length, 2)).astype(np.float32)
    for (first, last), sample in zip(best_spans(outputs), outputs, strict=True):
        every = [sample[i, 0] + sample[j, 1] for i in range(length) for j in range(i, length)]
        assert first <= last
        assert sample[first, 0] + sample[last, 1] == max(every)


def test_a_start_beyond_the_end_is_not_answered():
    outputs = logits((4, 1))  # the start is surest at 4 and the end at 1
    assert best_spans(outputs).tolist() in ([[0, 1]], [[4, 4]])


@pytest.mark.parametrize(
    ("span", "gold", "f1_by_hand", "exact"),
    [
        ((1, 3), [[1, 3]], 1, 1),
        ((1, 2), [[2, 4]], 2 * 1 / (2 + 3), 0),
        ((0, 0), [[3, 4]], 0, 0),
        ((2, 4), [[-1, -1], [2, 2], [2, 4]], 1, 1),
        ((2, 4), [[2, 2], [3, 4]], 2 * 2 / (3 + 2), 0),
        ((2, 4), [[-1, -1]], 0, 0),
    ],
)
def test_the_best_gold_span_counts_by_its_shared_positions(span, gold, f1_by_hand, exact):
    labels = np.array([gold])
    assert f1(logits(span), labels).tolist() == [pytest.approx(f1_by_hand)]
    assert exact_match(logits(span), labels).tolist() == [exact]


@given(st.integers(0, 10_000))
def test_an_exact_match_has_an_f1_of_1_and_nothing_else_has(seed):
    generator = np.random.default_rng(seed)
    outputs = generator.normal(size=(8, 4, 2)).astype(np.float32)
    labels = np.sort(generator.integers(0, 4, (8, 2, 2)), axis=-1)
    shared, exact = f1(outputs, labels), exact_match(outputs, labels)
    np.testing.assert_array_equal(shared == 1, exact == 1)
    assert ((shared >= 0) & (shared <= 1)).all()
    np.testing.assert_array_equal(f1(outputs, labels[:, ::-1]), shared)


def test_two_outputs_are_read_by_their_names_and_one_label_a_sample_will_do():
    outputs = logits((1, 3), (0, 2))
    two = records({"end_logits": outputs[..., 1], "start_logits": outputs[..., 0]})
    assert exact_match(two, np.array([[1, 3], [0, 3]])).tolist() == [1, 0]


def test_answers_that_are_not_numbers_find_nothing_and_masked_positions_are_never_found():
    outputs = logits((1, 3), (1, 3), (1, 3))
    outputs[0, 0, 0] = np.nan
    outputs[1] = -np.inf
    outputs[2, 2:] = -np.inf
    assert best_spans(outputs).tolist() == [[-1, -1], [-1, -1], [1, 1]]
    assert f1(outputs, np.array([[1, 3]] * 3)).tolist() == [0, 0, pytest.approx(2 / 4)]
    assert exact_match(outputs, np.array([[-1, -1]] * 3)).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("outputs", "labels", "said"),
    [
        (np.zeros((2, 5)), np.zeros((2, 2), int), "gives start and end logits"),
        (records({"a": np.zeros((2, 5)), "b": np.zeros((2, 5))}), np.zeros((2, 2), int), "two outputs"),
        (np.zeros((2, 5, 2)), np.zeros((3, 2), int), "for each of 2 samples"),
        (np.zeros((2, 5, 2)), np.zeros((2, 1, 3), int), "gold spans are"),
        (np.zeros((2, 5, 2)), np.zeros((2, 2)), "whole positions.*got float64"),
        (np.zeros((1, 5, 2)), np.array([[3, 1]]), "a span that ends before it begins"),
    ],
)
def test_what_is_no_span_is_refused(outputs, labels, said):
    with pytest.raises(DataError, match=said):
        f1(outputs, labels)
