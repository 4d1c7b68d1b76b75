"""The Pareto set holds what nothing beats, and everything else is beaten by a member of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.report.pareto import latency_class, pareto

POINTS = st.lists(st.tuples(*[st.integers(0, 4)] * 3), max_size=12)


def beats(one, other):
    return one != other and all(mine <= its for mine, its in zip(one, other, strict=True))


@given(POINTS)
def test_no_member_is_dominated(points):
    for point, member in zip(points, pareto(points), strict=True):
        assert not (member and any(beats(other, point) for other in points))


@given(POINTS)
def test_every_other_is_dominated_by_a_member(points):
    members = pareto(points)
    best = [point for point, member in zip(points, members, strict=True) if member]
    for point, member in zip(points, members, strict=True):
        assert member or any(beats(other, point) for other in best)


@given(POINTS, st.randoms())
def test_the_order_of_the_points_does_not_matter(points, random):
    order = list(range(len(points)))
    random.shuffle(order)
    members = pareto(points)
    assert pareto([points[index] for index in order]) == [members[index] for index in order]


def test_equal_points_stay_together():
    assert pareto([(1, 2), (1, 2), (2, 2)]) == [True, True, False]


def test_a_point_that_is_no_number_is_refused():
    with pytest.raises(ValueError, match="not numbers"):
        pareto([(1.0, float("nan"))])


def test_latencies_within_a_hundredth_are_of_one_class_as_a_rule_and_a_fifth_apart_never():
    assert latency_class(1e-3) == latency_class(1.01e-3)
    for latency_s in (1e-6, 3.3e-4, 2.0):
        assert latency_class(latency_s * 1.2) > latency_class(latency_s)
