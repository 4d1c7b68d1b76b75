"""Average precision is what can be counted by hand: overlaps, ranks, duplicates, classes; wrong ones are told apart."""

import contextlib
import io
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import DataError
from compress.measure.boxes import ground_truth, read_detections
from compress.measure.detection import COCO_IOU, RECALLS, mean_average_precision, picture_average_precision
from compress.records import records

SQUARE, FAR = (0, 0, 10, 10), (50, 50, 60, 60)


def arrays(pictures):
    """Return detections (n, 4, 6) and truth (n, 3, 5) of pictures: lists of (box, score, class) and of (box, class)."""
    found, truth = np.zeros((len(pictures), 4, 6), np.float32), np.full((len(pictures), 3, 5), -1, np.float32)
    for place, (detections, objects) in enumerate(pictures):
        for row, (box, score, kind) in enumerate(detections):
            found[place, row] = *box, score, kind
        for row, (box, kind) in enumerate(objects):
            truth[place, row] = *box, kind
    return found, truth


def shifted(by):
    """Return a square moved right by `by` of its 10: the overlap is (10 - by) / (10 + by)."""
    return (by, 0, 10 + by, 10)


CASES = {
    "perfect": ([([(SQUARE, 0.9, 0), (FAR, 0.8, 1)], [(SQUARE, 0), (FAR, 1)])], {0.25: 1, 0.5: 1, 0.95: 1}),
    "nothing found": ([([], [(SQUARE, 0)])], {0.5: 0}),
    "a third overlaps": ([([(shifted(5), 0.9, 0)], [(SQUARE, 0)])], {0.25: 1, 0.3: 1, 0.35: 0, 0.5: 0}),
    "nine elevenths overlap": ([([(shifted(1), 0.9, 0)], [(SQUARE, 0)])], {0.5: 1, 0.8: 1, 0.85: 0}),
    "another class": ([([(SQUARE, 0.9, 1)], [(SQUARE, 0)])], {0.25: 0}),
    "a duplicate ranks between two objects": (
        [([(SQUARE, 0.9, 0), (SQUARE, 0.8, 0), (FAR, 0.7, 0)], [(SQUARE, 0), (FAR, 0)])],
        {0.5: (51 * 1 + 50 * 2 / 3) / 101},  # 51 of 101 recalls are at most 1/2
    ),
    "a false alarm ranks first": ([([(FAR, 0.9, 0), (SQUARE, 0.8, 0)], [(SQUARE, 0)])], {0.5: 1 / 2}),
    "a false alarm ranks last": ([([(FAR, 0.7, 0), (SQUARE, 0.8, 0)], [(SQUARE, 0)])], {0.5: 1}),
    "one of two is found": ([([(SQUARE, 0.9, 0)], [(SQUARE, 0), (FAR, 0)])], {0.5: 51 / 101}),
    "two classes, one found": ([([(SQUARE, 0.9, 0)], [(SQUARE, 0), (FAR, 1)])], {0.5: 1 / 2}),
    "ranks go across pictures": (
        [([(FAR, 0.9, 0)], [(SQUARE, 0)]), ([(SQUARE, 0.8, 0)], [(SQUARE, 0)])],
        {0.5: 51 * (1 / 2) / 101},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_average_precision_is_what_is_counted_by_hand(case):
    pictures, expected = CASES[case]
    for iou, value in expected.items():
        assert mean_average_precision(*arrays(pictures), (iou,)) == pytest.approx(value, abs=1e-9)


def any_class(found, truth, iou):
    return mean_average_precision(_with(found, 5, 0), np.where(truth[..., 4:] < 0, truth, _with(truth, 4, 0)), iou)


def by_the_mean_of_pictures(found, truth, iou):
    return float(picture_average_precision(found, truth, iou).mean())


def without_ranks(found, truth, iou):
    return mean_average_precision(np.where(found[..., 4:5] > 0, _with(found, 4, 1), 0), truth, iou)


def with_corners_taken_for_sizes(found, truth, iou):
    moved = found.copy()
    moved[..., 2:4] += moved[..., :2]
    return mean_average_precision(moved, truth, iou)


def with_duplicates_right(found, truth, iou):
    twice = np.concatenate([truth, truth], axis=1)
    return mean_average_precision(found, twice, iou)


def of_the_best_only(found, truth, iou):
    return mean_average_precision(found[:, :1], truth, iou)


def with_half_the_overlap(found, truth, iou):
    return mean_average_precision(found, truth, [each / 2 for each in iou])


def _with(rows, column, value):
    changed = rows.copy()
    changed[..., column] = value
    return changed


@pytest.mark.parametrize(
    "wrong",
    [
        any_class,
        by_the_mean_of_pictures,
        without_ranks,
        with_corners_taken_for_sizes,
        with_duplicates_right,
        of_the_best_only,
        with_half_the_overlap,
    ],
)
def test_a_wrong_average_precision_is_told_by_a_case(wrong):
    differs = [
        (name, iou)
        for name, (pictures, expected) in CASES.items()
        for iou, value in expected.items()
        if abs(wrong(*arrays(pictures), (iou,)) - value) > 0.01
    ]
    assert differs


def test_coco_takes_the_mean_over_ten_overlaps():
    # nine elevenths, 0.818: right at 0.5 to 0.8, seven of ten
    found, truth = arrays(CASES["nine elevenths overlap"][0])
    assert mean_average_precision(found, truth, COCO_IOU) == pytest.approx(0.7)
    assert picture_average_precision(found, truth, COCO_IOU).tolist() == [pytest.approx(0.7)]
    np.testing.assert_allclose(COCO_IOU, np.linspace(0.5, 0.95, 10))


def test_a_picture_alone_counts_detections_of_classes_that_are_not_there():
    pictures = [
        ([(FAR, 0.9, 1), (SQUARE, 0.8, 0)], [(SQUARE, 0)]),  # COCO knows no class 1 here, and would not count it
        ([(SQUARE, 0.9, 0)], [(SQUARE, 0)]),
        ([], []),
        ([(SQUARE, 0.1, 0)], []),
    ]
    found, truth = arrays(pictures)
    assert picture_average_precision(found, truth, (0.5,)).tolist() == [0.5, 1, 1, 0]
    assert mean_average_precision(found[:1], truth[:1], (0.5,)) == pytest.approx(1)


def scenes():
    size = st.integers(1, 12)
    box = st.tuples(st.integers(0, 12), st.integers(0, 12), size, size).map(
        lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
    )
    detections = st.lists(st.tuples(box, st.integers(1, 64).map(lambda part: part / 64), st.integers(0, 1)), max_size=4)
    objects = st.lists(st.tuples(box, st.integers(0, 1)), min_size=1, max_size=3)
    return st.lists(st.tuples(detections, objects), min_size=1, max_size=3)


@given(scenes(), st.randoms())
@settings(max_examples=40)
def test_it_is_a_fraction_and_no_order_of_pictures_matters(pictures, random):
    found, truth = arrays(pictures)
    order = random.sample(range(len(pictures)), len(pictures))
    for iou in ((0.25,), (0.5,)):
        each = picture_average_precision(found, truth, iou)
        assert ((each >= 0) & (each <= 1)).all()
        np.testing.assert_array_equal(picture_average_precision(found[order], truth[order], iou), each[order])
        assert 0 <= mean_average_precision(found, truth, iou) <= 1


@given(scenes())
@settings(max_examples=40)
def test_the_truth_itself_is_found_whole(pictures):
    perfect = [([(box, 0.5, kind) for box, kind in objects], objects) for _, objects in pictures]
    found, truth = arrays(perfect)
    assert mean_average_precision(found, truth, (0.99,)) == pytest.approx(1)
    assert picture_average_precision(found, truth, (0.99,)).tolist() == [1] * len(pictures)


@given(scenes())
@settings(max_examples=40)
def test_of_one_picture_and_class_the_two_agree(pictures):
    detections, objects = pictures[0]
    one = [([(box, score, 0) for box, score, _ in detections], [(box, 0) for box, _ in objects])]
    found, truth = arrays(one)
    expected = mean_average_precision(found, truth, (0.25,))
    assert picture_average_precision(found, truth, (0.25,))[0] == pytest.approx(expected, abs=1e-6)


def test_several_outputs_are_read_by_their_names_and_number():
    found, truth = arrays(CASES["a false alarm ranks first"][0])
    outputs = {"detection_boxes": found[..., :4], "detection_scores": found[..., 4], "detection_classes": found[..., 5]}
    np.testing.assert_array_equal(read_detections(records(outputs))[0], read_detections(found)[0])
    first = records({**outputs, "num_detections": np.array([1.0], np.float32)})
    assert mean_average_precision(first, truth, (0.5,)) == 0


def test_what_is_no_box_is_a_false_alarm_and_what_has_no_score_is_nothing():
    found, truth = arrays([([(SQUARE, 0.5, 0)], [(SQUARE, 0)])])
    for damage in ((np.nan, 0, 10, 10, 0.9, 0), (10, 0, 0, 10, 0.9, 0), (*SQUARE, 0.9, np.nan)):
        found[0, 1] = damage
        assert picture_average_precision(found, truth, (0.5,)).tolist() == [0.5]
    for nothing in ((*SQUARE, np.nan, 0), (*SQUARE, 0, 0), (*SQUARE, -1, 0)):
        found[0, 1] = nothing
        assert picture_average_precision(found, truth, (0.5,)).tolist() == [1]


def test_padding_of_the_truth_is_a_class_below_0_or_nan():
    _, truth = arrays(CASES["perfect"][0])
    padded = np.concatenate([truth, np.full((1, 2, 5), np.nan)], axis=1)
    np.testing.assert_array_equal(ground_truth(padded)[0], ground_truth(truth)[0])
    assert [len(rows) for rows in ground_truth(padded)] == [2]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.zeros((1, 2)), r"labels of boxes are \(n, most, 5\)"),
        (np.array([[[5, 0, 5, 10, 0]]]), r"labels of picture 0: \[5.0, 0.0, 5.0, 10.0, 0.0\] is no x1"),
        (np.array([[[0, 0, 5, 10, 0.5]]]), "a whole class"),
        (np.array([[[-1, -1, -1, -1, -1]], [[0, 0, np.inf, 10, 0]]]), "labels of picture 1"),
    ],
)
def test_truth_that_is_none_is_refused(labels, said):
    with pytest.raises(DataError, match=said):
        ground_truth(labels)


@pytest.mark.parametrize(
    "outputs",
    [
        np.zeros((1, 6)),
        np.zeros((1, 3, 5)),
        records({"boxes": np.zeros((1, 3, 4)), "scores": np.zeros((1, 3))}),
        records({"boxes": np.zeros((1, 3, 4)), "scores": np.zeros((1, 2)), "classes": np.zeros((1, 3))}),
    ],
)
def test_outputs_that_are_no_detections_are_refused(outputs):
    with pytest.raises(DataError, match="detector"):
        read_detections(outputs)


def test_labels_without_any_object_have_no_average_precision():
    found, truth = arrays([([(SQUARE, 0.9, 0)], [])])
    with pytest.raises(DataError, match="the labels hold no object"):
        mean_average_precision(found, truth, (0.5,))
    assert picture_average_precision(found, truth, (0.5,)).tolist() == [0]


def test_other_pictures_than_labelled_ones_are_refused():
    found, truth = arrays(CASES["perfect"][0])
    with pytest.raises(DataError, match="detections in 2 pictures and labels of 1"):
        mean_average_precision(np.concatenate([found, found]), truth, (0.5,))


def test_nothing_is_printed():
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        mean_average_precision(*arrays(CASES["perfect"][0]), (0.5,))
    assert printed.getvalue() == ""
    assert len(RECALLS) == 101


def test_a_missing_library_is_told_with_the_extra_that_has_it(monkeypatch):
    for name in [name for name in sys.modules if name.startswith("pycocotools")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(DataError, match=r"computed by pycocotools.*compress-bench\[metrics\]"):
        mean_average_precision(*arrays(CASES["perfect"][0]), (0.5,))
