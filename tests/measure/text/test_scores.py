"""Whatever the metric: scores have bounds, identity is best, and order changes nothing but the order."""

import sys
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import DataError
from compress.measure.text.corpus import Corpus
from compress.measure.text.scores import BY_SENTENCE, LABELS, TextScores, score_texts, sentence_scores

WORDS = ["the", "cat", "cats", "sat", "on", "mat", "dog", "ran", "far", "."]
HYPOTHESES = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
REFERENCES = st.lists(st.sampled_from(WORDS[:-1]), min_size=1, max_size=8).map(" ".join)
SAMPLES = st.lists(st.tuples(HYPOTHESES, st.lists(REFERENCES, min_size=1, max_size=3)), min_size=1, max_size=4)
MOST = {"cider": 10.0, "nist": np.inf}

each_metric = pytest.mark.parametrize("metric", list(BY_SENTENCE))


def apart(samples):
    return [hypothesis for hypothesis, _ in samples], [references for _, references in samples]


@each_metric
@given(SAMPLES)
@settings(max_examples=15)
def test_scores_lie_within_their_bounds(metric, samples):
    scores = sentence_scores(metric, *apart(samples))
    assert scores.shape == (len(samples),)
    assert scores.dtype == np.float32
    assert (scores >= 0).all()
    assert (scores <= MOST.get(metric, 1.0) + 1e-5).all()


@each_metric
@given(SAMPLES, st.randoms())
@settings(max_examples=15)
def test_samples_in_another_order_have_their_scores_in_that_order(metric, samples, random):
    order = random.sample(range(len(samples)), len(samples))
    before = sentence_scores(metric, *apart(samples))
    after = sentence_scores(metric, *apart([samples[place] for place in order]))
    np.testing.assert_allclose(after, before[order], rtol=1e-5, atol=1e-6)


@each_metric
@given(SAMPLES)
@settings(max_examples=15)
def test_no_answer_beats_the_only_reference_itself(metric, samples):
    hypotheses, references = [one for one, _ in samples], [each[:1] for _, each in samples]
    best = sentence_scores(metric, [each[0] for each in references], references)
    if metric != "nist":  # whose precision a text of common, informative words only beats
        assert (sentence_scores(metric, hypotheses, references) <= best + 1e-5).all()
    if metric.startswith(("rouge", "bleu")):
        has_any = [metric != "rouge_2" or " " in each[0] for each in references]
        np.testing.assert_allclose(best, has_any, atol=1e-6)
    assert (sentence_scores(metric, ["zebra"] * len(samples), references) <= best + 1e-6).all()


@given(SAMPLES)
@settings(max_examples=10)
def test_a_corpus_is_the_mean_of_its_samples_but_for_bleu_and_nist(samples):
    scores = asdict(score_texts(*apart(samples)))
    for metric in BY_SENTENCE.keys() - {"bleu", "nist"}:
        assert scores[metric] == pytest.approx(sentence_scores(metric, *apart(samples)).mean(), abs=1e-6)


def test_every_score_has_a_name_for_people_and_meteor_says_what_it_does_without():
    assert list(LABELS) == list(BY_SENTENCE) == list(TextScores.__dataclass_fields__)
    assert LABELS["meteor"] == "METEOR (exact, stem)"


def test_tokens_score_as_words():
    as_tokens = score_texts(["11 12 13 14 15", "3 4"], [["11 12 13 14 16"], ["3 5"]], tokenised=True)
    as_words = score_texts(["k l m n o", "c d"], [["k l m n p"], ["c e"]])
    assert as_tokens == as_words


@pytest.mark.parametrize(
    ("hypotheses", "references", "said"),
    [
        (["a"], [["a"], ["b"]], "1 texts and references for 2 do not belong together"),
        ([], [], "0 texts"),
        (["a"], ["a"], "sample 0: a text has a list of one or more references"),
        (["a", "b"], [["a"], []], "sample 1"),
        (["a"], [[" "]], "that are not blank"),
        ([3], [["a"]], "sample 0"),
    ],
)
def test_texts_that_do_not_belong_together_are_refused(hypotheses, references, said):
    with pytest.raises(DataError, match=said):
        score_texts(hypotheses, references)


def test_an_unknown_metric_is_told_which_there_are():
    with pytest.raises(DataError, match="no text metric 'rouge'; there are bleu, nist, meteor, rouge_1"):
        sentence_scores("rouge", ["a"], [["a"]])


@pytest.mark.parametrize(
    ("metric", "module"),
    [("bleu", "sacrebleu"), ("meteor", "nltk"), ("rouge_l", "rouge_score"), ("nist", "sacrebleu")],
)
def test_a_missing_library_is_told_with_the_extra_that_has_it(metric, module, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=rf"computed by {module}, which is not here.*compress-bench\[metrics\]"):
        BY_SENTENCE[metric](Corpus(["a"], [["a"]]))
