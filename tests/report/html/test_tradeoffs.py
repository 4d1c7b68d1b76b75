"""The Pareto set of each subject's files, and where its charts put them."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from compress.report.html.tradeoffs import front, tradeoffs

POINTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


def cell(runtime="litert", **values):
    return {"runtime": runtime, "values": values}


def made(**cells):
    """Return the trade-off of the subject ``tiny`` with these recipes."""
    (found,) = tradeoffs({("embedded", f"tiny: {name}"): one for name, one in cells.items()})
    return found


THREE = {
    "float32": cell(raw_bytes=4000, gzip_bytes=3600, accuracy=0.99, latency_s=1e-3),
    "int8": cell(raw_bytes=1000, gzip_bytes=900, accuracy=0.98, latency_s=5e-4),
    "bad": cell(raw_bytes=2000, gzip_bytes=300, accuracy=0.9, latency_s=9e-4),
}


@given(POINTS)
def test_the_front_is_what_nothing_beats_and_beats_all_else(points):
    best = {points[index] for index in front(points)}
    beats = lambda a, b: a[0] <= b[0] and a[1] <= b[1] and a != b  # noqa: E731 - the definition, once
    assert not any(beats(a, b) for a, b in itertools.permutations(best, 2))
    assert all(point in best or any(beats(one, point) for one in best) for point in points)


def test_a_file_says_which_fronts_it_is_on_and_how_much_smaller_it_is():
    found = made(**THREE)
    assert [(one.number, one.recipe, one.ratio) for one in found.files] == [
        (1, "float32", "1.00x"),
        (2, "bad", "2.00x"),
        (3, "int8", "4.00x"),
    ]
    raw, gzipped, latency = (
        "size of the file and accuracy",
        "gzipped size and accuracy",
        "size of the file and latency of a call",
    )
    assert [one.fronts for one in found.files] == [(raw, gzipped), (gzipped,), (raw, gzipped, latency)]


def test_smaller_is_left_more_accurate_is_up_and_faster_is_down():
    quality, _, latency = made(**THREE).charts
    place = {mark.title.split(":")[0].split(". ")[1]: mark for mark in quality.marks}
    assert place["int8"].x < place["bad"].x < place["float32"].x
    assert place["float32"].y < place["int8"].y < place["bad"].y
    assert [mark.title.split(". ")[1].split(":")[0] for mark in quality.marks if mark.on_front] == ["int8", "float32"]
    fast = {mark.title.split(":")[0].split(". ")[1]: mark for mark in latency.marks}
    assert fast["int8"].y > fast["bad"].y > fast["float32"].y


def test_numbers_of_marks_never_cover_each_other_and_the_fronts_come_first():
    same = {f"r{n}": cell(raw_bytes=1000, accuracy=0.98) for n in range(9)}
    (chart,) = made(**same, best=cell(raw_bytes=999, accuracy=0.98), far=cell(raw_bytes=9000, accuracy=0.98)).charts
    assert {mark.title.split(":")[0].split(". ")[1] for mark in chart.marks if mark.label} == {"best", "far"}


def test_a_subject_scored_otherwise_is_drawn_by_its_score():
    found = made(float32=cell(raw_bytes=4000, score=0.5), int8=cell(raw_bytes=1000, score=0.4))
    assert [chart.y_label for chart in found.charts] == ["score"]
    assert [title for _, title in found.columns] == ["bytes", "score"]


def test_files_that_are_not_run_have_no_mark_and_strange_values_none_either():
    checkpoint = cell("keras", raw_bytes=9000, accuracy=None)
    odd = cell(raw_bytes=float("nan"), accuracy="<b>", latency_s=10**400)
    found = made(**THREE, checkpoint=checkpoint, odd=odd)
    assert len(found.files) == 5
    assert all(len(chart.marks) == 3 for chart in found.charts)
