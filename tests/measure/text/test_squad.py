"""Answers are compared as SQuAD v1.1's evaluation script compares them."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import DataError
from compress.measure.text.squad import exact_matches, f1_scores, normalize_answer

TEXTS = st.text(alphabet=string.ascii_letters + string.punctuation + " \t\néß", max_size=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Denver Broncos", "denver broncos"),
        ("an  apple,\ta pear", "apple pear"),
        ("Santa Clara, California", "santa clara california"),
        ("theatre and another", "theatre and another"),
        ("U.S.A.", "usa"),
        ("the-end", "theend"),  # punctuation goes first, so that no article is left to go
        ("the", ""),
        ("“Quoted”", "“quoted”"),  # only ASCII's punctuation counts
    ],
)
def test_answers_are_normalized_in_the_scripts_order(text, expected):
    assert normalize_answer(text) == expected


@pytest.mark.parametrize(
    ("prediction", "gold", "f1", "exact"),
    [
        ("Denver Broncos", ["the Denver Broncos!"], 1, 1),
        ("the Carolina Panthers of the NFL", ["Carolina Panthers"], 2 * (2 / 4) * 1 / (2 / 4 + 1), 0),
        ("gold gold", ["gold gold gold"], 4 / 5, 0),
        ("gold gold", ["gold"], 2 / 3, 0),  # a word counts as often as both have it
        ("Paris", ["London", "Paris, France"], 2 / 3, 0),
        ("Rome", ["London", "rome."], 1, 1),
        ("nothing like it", ["London"], 0, 0),
        ("", ["London"], 0, 0),
        ("a", ["the"], 0, 1),  # both come to nothing: the same, without a common word
    ],
)
def test_the_best_gold_answer_counts(prediction, gold, f1, exact):
    assert f1_scores([prediction], [gold]).tolist() == [pytest.approx(f1)]
    assert exact_matches([prediction], [gold]).tolist() == [exact]


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_f1_is_a_fraction_that_an_exact_match_with_words_makes_1(prediction, gold):
    (f1,), (exact,) = f1_scores([prediction], [gold]), exact_matches([prediction], [gold])
    assert 0 <= f1 <= 1
    if exact and normalize_answer(prediction):
        assert f1 == 1
    assert f1_scores([prediction], [gold[::-1]]) == f1


@pytest.mark.parametrize(
    ("answers", "said"),
    [([["a"], ["b"]], "1 predictions and answers to 2 questions"), ([[]], "question 0"), (["Rome"], "question 0")],
)
def test_questions_without_a_list_of_answers_are_refused(answers, said):
    with pytest.raises(DataError, match=said):
        f1_scores(["Rome"], answers)
