"""A metric is found by its name, a function of one's own included, and says what is wrong with one that is not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import DataError
from compress.measure.classification import in_top
from compress.measure.quality import JUDGES, Judge, find_judge


@given(st.integers(1, 12), st.integers(1, 8), st.integers(0, 10_000))
def test_top_k_agrees_with_sorting(classes, n, seed):
    generator = np.random.default_rng(seed)
    outputs = generator.integers(0, 4, (n, classes)).astype(np.float32)  # with ties
    labels = generator.integers(0, classes, n)
    for k in (1, 5):
        best = np.argsort(-outputs, axis=1, kind="stable")[:, :k]
        np.testing.assert_array_equal(in_top(outputs, labels, k), (best == labels[:, None]).any(axis=1))


def test_top_1_is_accuracy_and_a_nan_is_wrong():
    outputs = np.array([[0, 1, 0], [np.nan, 0, 5]], np.float32)
    assert find_judge("accuracy")(outputs, np.array([1, 2])).tolist() == [1, 0]


@pytest.mark.parametrize(
    ("outputs", "labels", "said"),
    [
        (np.zeros((2, 3)), np.array([0, 3]), "labels 0 to 3 do not fit the model's 3 outputs"),
        (np.zeros((2, 3)), np.array([-1, 1]), "labels -1 to 1 do not fit"),
        (np.zeros((2, 3, 1)), np.array([0, 1]), "do not belong together"),
        (np.zeros((2, 3)), np.array([0.5, 1.0]), "do not belong together"),
    ],
)
def test_labels_that_are_no_classes_are_refused(outputs, labels, said):
    with pytest.raises(DataError, match=said):
        find_judge("top_5")(outputs, labels)


RANDOM = np.random.default_rng(0).random((4, 6)).astype(np.float32)
BOXES = np.tile(np.array([[0, 0, 10, 10, 0.9, 1]], np.float32), (4, 1, 1))
SPANS = np.stack([RANDOM, RANDOM], axis=-1)
TOKENS = np.arange(20).reshape(4, 5)

ANSWERS = {
    "classes": (RANDOM, RANDOM.argmax(axis=1), -RANDOM),
    "values": (RANDOM, RANDOM, -RANDOM),
    "boxes": (BOXES, BOXES[..., [0, 1, 2, 3, 5]], BOXES * 2),
    "spans": (SPANS, np.stack([RANDOM.argmax(axis=1)] * 2, axis=1), -SPANS),
    "tokens": (TOKENS, TOKENS, TOKENS[::-1]),
}
"""Kind of answer -> a perfect one, what it is held against, and a bad one."""

TAKES = {
    **dict.fromkeys(("accuracy", "top_5"), "classes"),
    **dict.fromkeys(("sqnr_db", "psnr_db", "cosine"), "values"),
    **dict.fromkeys(("map", "map_25", "map_50"), "boxes"),
    **dict.fromkeys(("f1", "em"), "spans"),
    **dict.fromkeys(("bleu", "nist", "meteor", "rouge_1", "rouge_2", "rouge_l", "cider"), "tokens"),
}


@pytest.mark.parametrize("name", sorted(JUDGES))
def test_every_registered_metric_tells_a_perfect_answer_from_a_bad_one(name):
    perfect, against, bad = ANSWERS[TAKES[name]]
    judge = find_judge(name)
    scores = judge(perfect, against)
    assert scores.shape == (4,)
    assert (scores > judge(bad, against)).any()
    if judge.overall:
        assert judge.of_all(perfect, against) > judge.of_all(bad, against)
    else:
        assert judge.of_all(perfect, against) is None


def test_a_score_of_all_samples_that_fails_is_told_with_the_metric(tmp_path, monkeypatch):
    (tmp_path / "overall_metric.py").write_text("def all_of_it(outputs, labels): raise KeyError('lost')\n")
    monkeypatch.chdir(tmp_path)
    judge = Judge("mine", "compress.measure.spans:f1", "labels", overall="overall_metric:all_of_it")
    with pytest.raises(DataError, match="metric mine: overall_metric:all_of_it failed: KeyError: 'lost'"):
        judge.of_all(RANDOM, RANDOM)


def test_an_unknown_metric_is_told_which_there_are():
    with pytest.raises(DataError, match=r"no metric 'acuracy'; there are accuracy, top_5.*did you mean accuracy\?"):
        find_judge("acuracy")


def test_a_metric_of_ones_own_is_called_and_its_failure_told(tmp_path, monkeypatch):
    (tmp_path / "mine_metric.py").write_text(
        "def off(outputs, labels): return -abs(outputs[:, 0] - labels)\n"
        "def broken(outputs, labels): raise KeyError('lost')\n"
        "constant = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    outputs, labels = np.array([[1.0], [2.0]], np.float32), np.array([1.5, 2.0])
    assert find_judge("mine_metric:off")(outputs, labels).tolist() == [-0.5, 0]
    with pytest.raises(DataError, match="mine_metric:broken failed: KeyError: 'lost'"):
        find_judge("mine_metric:broken")(outputs, labels)
    with pytest.raises(DataError, match="is a int and not a function"):
        find_judge("mine_metric:constant")
    with pytest.raises(DataError, match="mine_metric:nothing cannot be imported"):
        find_judge("mine_metric:nothing")
