"""NIST weighs common n-grams by information, as Doddington 2002 defines it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nltk.translate.nist_score import corpus_nist as nltk_corpus_nist

from compress.measure.text.corpus import Corpus
from compress.measure.text.nist import corpus_nist, sentence_nist

SENTENCES = st.lists(st.sampled_from("abcde"), min_size=5, max_size=9).map(" ".join)


def test_an_n_gram_carries_the_bits_that_its_last_word_adds():
    # Doddington's equation 2 by hand: of 8 reference words "a" is 4 and "b" 2, and "a" goes on with "b" twice in 4
    corpus = Corpus(["a b"], [["a b a b a c a d"]])
    information = math.log2(8 / 4) + math.log2(8 / 2), math.log2(4 / 2)
    brevity = math.exp(math.log(0.5) / math.log(1.5) ** 2 * math.log(2 / 8) ** 2)
    assert corpus_nist(corpus) == pytest.approx((information[0] / 2 + information[1] / 1) * brevity)


def test_a_text_of_two_thirds_of_the_length_is_worth_half():
    whole, cut = "a b c d e f", "a b c d"
    references = [[whole]]
    # six words that occur once each carry log2(6) bits each, and longer n-grams none
    assert corpus_nist(Corpus([whole], references)) == pytest.approx(math.log2(6))
    assert corpus_nist(Corpus([cut], references)) == pytest.approx(math.log2(6) / 2)


def test_of_several_references_any_may_have_the_n_gram_and_their_mean_length_counts():
    corpus = Corpus(["a b"], [["a x", "y b z w"]])
    # each of the six words occurs once; the references have three words on average
    brevity = math.exp(math.log(0.5) / math.log(1.5) ** 2 * math.log(2 / 3) ** 2)
    assert corpus_nist(corpus) == pytest.approx(math.log2(6) * brevity)
    assert brevity == pytest.approx(0.5)


def test_an_n_gram_counts_as_often_as_one_reference_has_it():
    # of four reference words "a" is two, 1 bit; only one of the two "a" is right
    assert corpus_nist(Corpus(["a a"], [["a b", "a c"]])) == pytest.approx(1 / 2)


def test_the_worked_example_of_nltk_is_met_with_one_reference():
    hypothesis = "It is a guide to action which ensures that the military always obeys the commands of the party"
    reference = "It is a guide to action that ensures that the military will forever heed Party commands"
    expected = nltk_corpus_nist([[reference.lower().split()]], [hypothesis.lower().split()])
    assert corpus_nist(Corpus([hypothesis], [[reference]])) == pytest.approx(expected)


@given(st.lists(st.tuples(SENTENCES, SENTENCES), min_size=1, max_size=4))
def test_it_agrees_with_nltk_where_there_is_one_reference(pairs):
    hypotheses, references = [one for one, _ in pairs], [[other] for _, other in pairs]
    expected = nltk_corpus_nist([[one.split() for one in each] for each in references], [h.split() for h in hypotheses])
    assert corpus_nist(Corpus(hypotheses, references)) == pytest.approx(expected)


def test_case_does_not_count_and_an_empty_answer_is_worth_nothing():
    assert corpus_nist(Corpus(["A B"], [["a b"]])) == pytest.approx(1)
    assert corpus_nist(Corpus([""], [["a b"]])) == 0


def test_a_sentence_alone_is_weighed_by_the_references_of_all():
    corpus = Corpus(["a b", "c d"], [["a b"], ["a d"]])
    # of 4 reference words "a" is 2: 1 bit; "b" and "d" are 1: 2 bits; "b" follows one of two "a": 1 bit
    assert sentence_nist(corpus).tolist() == [pytest.approx((1 + 2) / 2 + 1), pytest.approx(2 / 2)]
