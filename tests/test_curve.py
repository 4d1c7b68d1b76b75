"""What steps record of their trainings is kept as plain data, by whoever builds the model and by nobody else."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.curve import MOST_POINTS, Curve, curve_from_json, record, record_epoch, recording
from compress.errors import DataError


def test_epochs_are_counted_through_and_what_is_now_stands_where_they_are():
    with recording() as made:
        record({"heads left": 8})
        record_epoch({"loss": 0.5})
        record_epoch({"loss": 0.25})
        record({"heads left": 6})
        record_epoch({"loss": 0.125})
    loss, heads = sorted(made.curves("transformer(0.25)"), key=lambda one: -len(one.x))
    assert loss == Curve("loss", "epochs", (1, 2, 3), (0.5, 0.25, 0.125), "transformer(0.25)")
    assert heads == Curve("heads left", "epochs", (0, 2), (8, 6), "transformer(0.25)")


def test_a_quantity_over_two_things_is_two_curves():
    with recording() as made:
        record_epoch({"channels left": 9})
        record({"channels left": 8}, at=3, over="iteration")
    assert [(one.over, one.x) for one in made.curves()] == [("epochs", (1,)), ("iteration", (3,))]


def test_nothing_is_kept_outside_of_a_recording_and_an_inner_one_keeps_its_own():
    record_epoch({"loss": 1})
    with recording() as outer:
        record_epoch({"loss": 1})
        with recording() as inner:
            record_epoch({"loss": 2})
        record_epoch({"loss": 3})
    assert [one.y for one in inner.curves()] == [(2,)]
    assert [(one.x, one.y) for one in outer.curves()] == [((1, 2), (1, 3))]


def test_what_is_not_finite_leaves_a_gap_and_a_curve_of_gaps_is_none():
    with recording() as made:
        for loss in (1, math.nan, math.inf, 0.5):
            record_epoch({"loss": loss, "distance": math.nan})
    assert [(one.name, one.x, one.y) for one in made.curves()] == [("loss", (1, 4), (1, 0.5))]


@given(st.integers(1, 5 * MOST_POINTS))
def test_a_long_curve_is_thinned_evenly_and_keeps_its_end(points):
    with recording() as made:
        for _ in range(points):
            record_epoch({"loss": 1})
    (curve,) = made.curves()
    assert min(points, MOST_POINTS / 2) <= len(curve.x) <= MOST_POINTS
    assert curve.x[-1] == points
    assert len({after - before for before, after in zip(curve.x, curve.x[1:], strict=False)}) <= 1


def test_a_curve_is_stored_as_json_and_read_back():
    curve = Curve("loss", "epochs", (1, 2), (0.5, 0.25), "prune(0.9)")
    assert curve_from_json(json.loads(json.dumps(curve.to_json()))) == curve


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        {},
        {"name": "loss", "over": "epochs", "step": ""},
        {"name": "loss", "over": "epochs", "step": "", "x": [1], "y": [1, 2]},
        {"name": "loss", "over": "epochs", "step": "", "x": [], "y": []},
        {"name": "loss", "over": "epochs", "step": "", "x": [1], "y": [math.nan]},
        {"name": "loss", "over": "epochs", "step": "", "x": [1], "y": ["high"]},
        {"name": "loss", "over": "epochs", "step": "", "x": [1], "y": [10**400]},
        {"name": 3, "over": "epochs", "step": "", "x": [1], "y": [1]},
    ],
)
def test_a_damaged_curve_is_one_error(damaged):
    with pytest.raises(DataError):
        curve_from_json(damaged)
