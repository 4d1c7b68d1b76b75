"""ROUGE gives what Lin 2004 works out in sections 3.1 and 3.2."""

import pytest

from compress.measure.text.corpus import Corpus
from compress.measure.text.rouge import rouge

REFERENCE = "police killed the gunman"


def score(kind, hypothesis, *references, **options):
    corpus = Corpus([hypothesis], [references or (REFERENCE,)])
    return float(rouge(corpus, kind, **options)[0])


@pytest.mark.parametrize(
    ("candidate", "rouge_l", "rouge_2"),
    [
        ("police kill the gunman", 3 / 4, 1 / 3),
        ("the gunman kill police", 2 / 4, 1 / 3),  # the same bigrams in another order
        ("the gunman police killed", 2 / 4, 2 / 3),  # the same longest subsequence
    ],
)
def test_the_papers_gunman(candidate, rouge_l, rouge_2):
    assert score("rougeL", candidate) == pytest.approx(rouge_l)
    assert score("rouge2", candidate) == pytest.approx(rouge_2)


def test_stems_are_compared_only_when_asked():
    assert score("rougeL", "police kill the gunman") == pytest.approx(3 / 4)
    assert score("rougeL", "police kill the gunman", use_stemmer=True) == 1


def test_a_summarys_sentences_count_by_the_union_of_their_subsequences():
    # the paper's w1 w2 w3 w4 w5 against w1 w2 w6 w7 w8 and w1 w3 w8 w9 w5: recall 4/5, precision 4/10
    found = score("rougeLsum", "w1 w2 w6 w7 w8\nw1 w3 w8 w9 w5", "w1 w2 w3 w4 w5")
    assert found == pytest.approx(2 * (4 / 5) * (4 / 10) / (4 / 5 + 4 / 10))
    in_another_order = "w1 w3 w8 w9 w5\nw1 w2 w6 w7 w8"
    assert score("rougeLsum", in_another_order, "w1 w2 w3 w4 w5") == found
    assert score("rougeL", in_another_order, "w1 w2 w3 w4 w5") < found


def test_the_best_reference_counts():
    assert score("rouge1", "b c", "a b", "b c", "c d") == 1


def test_tokens_are_taken_as_they_are():
    assert rouge(Corpus(["-- 10 é"], [["-- 10 é x"]], tokenised=True), "rouge1")[0] == pytest.approx(6 / 7)
    assert score("rouge1", "-- 10 é", "-- 10 é x") == pytest.approx(2 / 3)
