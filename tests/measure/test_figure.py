"""Figures are kept with a run as JSON and come back as they were; what is no figure is refused."""

import json

import numpy as np
import pytest

from compress.errors import DataError
from compress.measure.figure import Figure, Line, figure_from_json
from compress.measure.histogram import histogram
from compress.measure.picture import picture

SERIES = [Line([1, 2, 3], [0.9, 0.4, 0.3]), histogram(np.array([0, 0.5, -1.0]), 5), picture(np.eye(4))]


def stored(**changed):
    made = Figure("loss", "epoch", "loss", "of two").add("a", SERIES[0]).to_json()
    return json.loads(json.dumps(made)) | changed


@pytest.mark.parametrize("series", SERIES, ids=["line", "histogram", "picture"])
def test_a_figure_comes_back_as_it_was_stored(series):
    figure = Figure("weights", "weight", "count", "zeros apart").add("before", series).add("after", series)
    assert figure_from_json(json.loads(json.dumps(figure.to_json()))) == figure


def test_a_series_takes_the_place_of_one_of_the_same_name():
    figure = Figure("loss").add("a", SERIES[0]).add("a", Line([1], [2]))
    assert figure.series == {"a": Line((1.0,), (2.0,))}


def test_a_line_keeps_six_digits_of_numpys_numbers():
    assert Line(np.arange(2), np.array([1 / 3, 2e9 / 3], np.float64)).y == (0.333333, 666667000.0)


@pytest.mark.parametrize(
    ("x", "y", "fault"),
    [
        ([], [], "1 to 1000 finite numbers"),
        ([1, 2], [1], "as many y as x, got 2 x and 1 y"),
        ([1], [float("nan")], "finite"),
        (range(1001), range(1001), "1 to 1000"),
        ([1], ["loss"], "are numbers"),
        ([[1]], [[1]], "1 to 1000 finite numbers"),
    ],
)
def test_a_line_without_a_finite_point_for_each_place_is_refused(x, y, fault):
    with pytest.raises(DataError, match=fault):
        Line(x, y)


def test_a_figure_is_of_one_kind():
    with pytest.raises(DataError, match=r"loss: .* this one of line; begin another for b"):
        Figure("loss").add("a", SERIES[0]).add("b", SERIES[1])
    with pytest.raises(DataError, match="got a list"):
        Figure("loss").add("a", [1, 2])


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        [],
        stored(series=[]),
        stored(title=3),
        stored(kind="svg"),
        stored(kind=None),
        stored(series={"a": None}),
        stored(series={"a": {"x": [1]}}),
        stored(series={"a": {"x": [1], "y": ["<script>"]}}),
        stored(kind="histogram", series={"a": {"counts": [], "zeros": 0, "limit": 1}}),
        stored(kind="histogram", series={"a": {"counts": [1, -1], "zeros": 0, "limit": 1}}),
        stored(kind="histogram", series={"a": {"counts": [1], "zeros": 0, "limit": float("inf")}}),
        stored(kind="picture", series={"a": {"png": "PHN2Zz4="}}),
        stored(kind="picture", series={"a": {"png": '"><img onerror=alert(1)>'}}),
    ],
)
def test_a_stored_figure_that_is_none_is_one_error(damaged):
    with pytest.raises(DataError):
        figure_from_json(damaged)
