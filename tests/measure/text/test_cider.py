"""CIDEr-D has the properties that Vedantam et al. 2015 ask of it, and agrees with its authors' code."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.measure.text.cider import cider
from compress.measure.text.corpus import Corpus

OTHER = ("e f g h", ["e f g h"])
WORDS = st.lists(st.sampled_from("abcdefgh"), max_size=8).map(" ".join)
FILLED = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=8).map(" ".join)


def score(hypothesis, *references, others=(OTHER,)):
    samples = [(hypothesis, references), *others]
    return float(cider(Corpus([one for one, _ in samples], [list(each) for _, each in samples]))[0])


def test_consensus_with_the_only_reference_is_worth_10():
    assert score("a b c d", "a b c d") == pytest.approx(10)


def test_a_half_right_text_is_worth_the_mean_of_its_cosines():
    # all weights are log 2: 2 of 4 words and 1 of 3 pairs agree, and nothing longer
    assert score("a b x y", "a b c d") == pytest.approx(10 * (2 / 4 + 1 / 3) / 4)


def test_a_shorter_text_pays_the_gaussian_penalty():
    cosines = 2 / (math.sqrt(2) * math.sqrt(4)) + 1 / (1 * math.sqrt(3))
    assert score("a b", "a b c d") == pytest.approx(10 * cosines / 4 * math.exp(-(2**2) / (2 * 6**2)))


def test_what_every_sample_says_is_worth_nothing():
    everywhere = ("e a", ["e a"])
    assert score("a", "a b", others=(everywhere,)) == 0
    assert score("b", "a b", others=(everywhere,)) > 0


def test_repeating_a_rare_word_earns_nothing():
    assert score("a a a a", "a b c d") < score("a b x y", "a b c d")
    assert score("a a", "a b") == pytest.approx(10 * (1 / (2 * math.sqrt(2))) / 4)


def test_references_are_averaged():
    both = score("a b c d", "a b c d", "i j k l")
    assert both == pytest.approx((10 + 0) / 2)


def test_punctuation_and_case_do_not_count():
    assert score("A b, c d.", "a b c d") == pytest.approx(score("a b c d", "a b c d"))


@given(st.lists(st.tuples(WORDS, st.lists(FILLED, min_size=1, max_size=3)), min_size=1, max_size=5))
def test_it_agrees_with_the_authors_code(samples):
    scorer = pytest.importorskip("pycocoevalcap.cider.cider_scorer", reason="100 MB, most of it Java; in no extra")
    theirs = scorer.CiderScorer()
    for hypothesis, references in samples:
        theirs += (hypothesis, references)
    expected = theirs.compute_score()[1]
    found = cider(Corpus([one for one, _ in samples], [each for _, each in samples]))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
