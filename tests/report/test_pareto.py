"""The Pareto set holds what nothing beats beyond noise, and everything else is beaten by a member of it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from compress.report.pareto import Point, kernel, worth_having
from compress.report.run_table import Row, mark_pareto, to_csv, to_json

limits = st.tuples(st.integers(0, 5), st.integers(0, 2)).map(lambda pair: (pair[0], sum(pair)))
POINTS = st.lists(
    st.builds(
        lambda size, latency, ends: Point(size, latency, *map(float, ends)),
        st.integers(1, 4),
        st.sampled_from([1.0, 1.08, 1.16, 1.24, 2.0]),
        limits,
    ),
    max_size=9,
)


def row(size, latency_s, each):
    """A measured file, with the interval of so many samples."""
    mean, half = float(each.mean()), 1.645 * float(each.std()) / len(each) ** 0.5
    limits = {"quality": 100 * mean, "quality_low": 100 * (mean - half), "quality_high": 100 * (mean + half)}
    return Row("int8", "litert", raw_bytes=size, latency_s=latency_s, each=each, **limits)


def right(count, n=150):
    return (np.arange(n) < count).astype(np.float32)


def stars(*rows):
    return [one.pareto for one in mark_pareto(rows)]


@given(POINTS)
def test_every_other_is_beaten_by_a_member(points):
    members = worth_having(points)
    best = [point for point, member in zip(points, members, strict=True) if member]
    for point, member in zip(points, members, strict=True):
        assert member or any(other.beats(point) for other in best)
    assert bool(best) == bool(points)


@given(POINTS)
def test_no_member_beats_another(points):
    best = [point for point, member in zip(points, worth_having(points), strict=True) if member]
    assert not any(one.beats(other) for one in best for other in best)


@given(POINTS, st.randoms())
def test_the_order_of_the_points_does_not_matter(points, random):
    order = list(range(len(points)))
    random.shuffle(order)
    members = worth_having(points)
    assert worth_having([points[index] for index in order]) == [members[index] for index in order]


def test_those_that_beat_each_other_in_a_circle_stay():
    beaten = {(0, 1), (1, 2), (2, 0)}

    assert kernel(3, lambda one, other: (one, other) in beaten) == [True, True, True]
    assert kernel(4, lambda one, other: (one, other) in beaten | {(3, 0)}) == [False, True, False, True]


def test_a_larger_file_that_is_right_once_more_is_not_starred():
    assert stars(row(600, 1.0, right(148)), row(400, 1.0, right(147))) == [False, True]


def test_a_larger_file_that_is_certainly_better_is_starred_though_the_intervals_overlap():
    better, worse = row(600, 1.0, right(147)), row(400, 1.0, right(141))

    assert better.quality_low < worse.quality_high
    assert stars(better, worse) == [True, True]


def test_samples_tell_more_of_scores_than_their_intervals_do():
    draw = np.random.default_rng(0)
    better = draw.normal(0.7, 0.2, 100).astype(np.float32)
    worse, other = better - np.float32(0.01), draw.normal(0.69, 0.2, 100).astype(np.float32)

    assert (
        stars(row(600, 1.0, better), row(400, 1.0, worse + draw.normal(0, 0.01, 100).astype(np.float32))) == [True] * 2
    )
    assert stars(row(600, 1.0, better), row(400, 1.0, other)) == [False, True]


def test_a_tenth_faster_is_no_reason_and_a_fifth_is():
    assert stars(row(600, 1.0, right(147)), row(400, 1.09, right(147))) == [False, True]
    assert stars(row(600, 1.0, right(147)), row(400, 1.2, right(147))) == [True, True]


def test_equal_files_are_starred_together():
    assert stars(row(400, 1.0, right(147)), row(400, 1.05, right(148)), row(500, 1.0, right(147))) == [
        True,
        True,
        False,
    ]


def test_the_best_stays_where_only_a_file_that_is_beaten_itself_is_as_good():
    first, second, third = (
        Point(100, 1.0, 98, 100),
        Point(90, 1.0, 97, 98.5),
        Point(80, 1.0, 96, 97.5),
    )

    assert second.beats(first)
    assert third.beats(second)
    assert worth_having([first, second, third]) == [True, False, True]


def test_the_quality_of_each_sample_is_not_written_out():
    rows = [row(400, 1.0, right(147))]

    assert "each" not in to_csv(rows).splitlines()[0].split(",")
    assert '"each"' not in to_json(rows, {})
