"""METEOR's two offline stages score as Banerjee and Lavie 2005, section 2.2, define and show."""

import pytest

from compress.measure.text.corpus import Corpus
from compress.measure.text.meteor import meteor


def score(hypothesis, *references):
    return float(meteor(Corpus([hypothesis], [references]))[0])


def by_definition(matches, chunks, length, reference_length):
    precision, recall = matches / length, matches / reference_length
    return 10 * precision * recall / (recall + 9 * precision) * (1 - 0.5 * (chunks / matches) ** 3)


def test_the_papers_president_speaks_in_two_chunks():
    # "the president" and "spoke to the audience": 6 matches in 2 chunks
    found = score("the president spoke to the audience", "the president then spoke to the audience")
    assert found == pytest.approx(by_definition(6, 2, 6, 7))


def test_one_chunk_costs_least_and_scattered_words_half():
    assert score("a b c d", "a b c d") == pytest.approx(by_definition(4, 1, 4, 4))
    assert score("d c b a", "a b c d") == pytest.approx(0.5)


def test_words_match_by_their_stem_as_the_papers_computer_and_computers_do():
    assert score("computers", "computer") == pytest.approx(by_definition(1, 1, 1, 1))
    assert score("The computers", "the computer") == score("the computer", "the computer")


def test_synonyms_do_not_match_as_there_is_no_wordnet():
    assert score("car", "auto") == 0


def test_the_best_reference_counts():
    assert score("the cat sat", "a dog ran", "the cat sat", "cats") == score("the cat sat", "the cat sat")
