"""BLEU gives the modified precisions that Papineni et al. 2002 work out in sections 2.1 and 2.1.1."""

import math

import pytest

from compress.measure.text.bleu import corpus_bleu, sentence_bleu
from compress.measure.text.corpus import Corpus

THE_THE = ("the the the the the the the", ["the cat is on the mat", "there is a cat on the mat"])
GUIDES = [
    "it is a guide to action that ensures that the military will forever heed party commands",
    "it is the guiding principle which guarantees the military forces always being under the command of the party",
    "it is the practical guide for the army always to heed the directions of the party",
]
GOOD = ("it is a guide to action which ensures that the military always obeys the commands of the party", GUIDES)
BAD = ("it is to insure the troops forever hearing the activity guidebook that party direct", GUIDES)


def one(sample, **options):
    return Corpus([sample[0]], [sample[1]], **options)


def test_a_word_counts_as_often_as_one_reference_has_it():
    assert corpus_bleu(one(THE_THE), order=1) == pytest.approx(2 / 7)


def test_the_papers_good_translation_has_its_precisions():
    assert corpus_bleu(one(GOOD), order=1) == pytest.approx(17 / 18)
    assert corpus_bleu(one(GOOD), order=2) == pytest.approx(math.sqrt(17 / 18 * 10 / 17))


def test_the_papers_bad_translation_has_its_precisions_and_the_penalty_of_two_missing_words():
    brevity = math.exp(1 - 16 / 14)
    assert corpus_bleu(one(BAD), order=1) == pytest.approx(brevity * 8 / 14)
    assert corpus_bleu(one(BAD), order=2) == pytest.approx(brevity * math.sqrt(8 / 14 * 1 / 13))


def test_a_corpus_adds_up_counts_and_is_not_the_mean_of_its_sentences():
    both = Corpus([GOOD[0], THE_THE[0]], [GOOD[1], THE_THE[1]])
    assert corpus_bleu(both, order=1) == pytest.approx((17 + 2) / (18 + 7))
    assert corpus_bleu(both) != pytest.approx(sentence_bleu(both).mean(), abs=0.01)


def test_a_corpus_without_a_common_4_gram_is_0_and_its_sentences_are_not():
    assert corpus_bleu(one(BAD)) == 0
    assert 0 < sentence_bleu(one(BAD))[0] < 0.1


def test_punctuation_is_a_word_of_its_own_unless_texts_are_tokens_already():
    text, references = "a b c d.", ["a b c d ."]
    assert corpus_bleu(one((text, references))) == pytest.approx(1)
    assert corpus_bleu(one((text, references), tokenised=True)) < 0.8


def test_case_counts():
    assert corpus_bleu(one(("The cat", ["the cat"])), order=1) == pytest.approx(1 / 2)
