"""An axis holds all values, and is marked at round numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.report.html.axis import Axis, axis, bytes_text, number_text, percent_text, seconds_text

NUMBERS = st.floats(-1e12, 1e12, allow_subnormal=False).filter(lambda one: one == 0 or abs(one) > 1e-9)


@given(st.lists(NUMBERS, min_size=1, max_size=20), st.booleans(), st.booleans())
def test_every_value_lies_between_the_ends_and_so_does_every_mark(values, log, zero):
    made = axis(values, 50, 250, log=log, zero=zero)
    places = [made.at(value) for value in values]
    places += [tick.at for tick in made.ticks(number_text)]
    assert all(49.9 <= place <= 250.1 for place in places)


@given(st.lists(st.floats(1e-9, 1e12), min_size=2, max_size=20), st.booleans())
def test_a_larger_value_is_never_nearer_to_the_beginning(values, log):
    made = axis(values, 250, 50, log=log)
    places = [made.at(value) for value in sorted(values)]
    assert places == sorted(places, reverse=True)


@pytest.mark.parametrize(
    ("low", "high", "log", "texts"),
    [
        (0, 10, False, ["0", "2", "4", "6", "8", "10"]),
        (-0.4, 0.4, False, ["-0.4", "-0.2", "0", "0.2", "0.4"]),
        (1, 100, True, ["1", "2", "5", "10", "20", "50", "100"]),
        (1, 1e6, True, ["1", "10", "100", "1,000", "10,000", "100,000", "1e+06"]),
        (1.1e-3, 1.9e-3, True, ["0.0012", "0.0014", "0.0016", "0.0018"]),
    ],
)
def test_marks_are_round_numbers(low, high, log, texts):
    assert [tick.text for tick in Axis(low, high, log, 0, 100).ticks(number_text)] == texts


def test_values_far_apart_make_a_logarithmic_axis_where_that_is_allowed():
    assert axis([1, 100], 0, 1, log=True).log
    assert not axis([1, 100], 0, 1).log
    assert not axis([0, 100], 0, 1, log=True).log
    assert not axis([98, 99], 0, 1, log=True).log


@pytest.mark.parametrize(
    ("text", "value", "shown"),
    [
        (bytes_text, 512, "512 B"),
        (bytes_text, 1_500_000, "1.5 MB"),
        (seconds_text, 2e-5, "20 µs"),
        (seconds_text, 0.25, "250 ms"),
        (seconds_text, 0, "0"),
        (percent_text, 0.985, "98.5%"),
    ],
)
def test_numbers_are_told_in_the_unit_that_they_are_read_in(text, value, shown):
    assert text(value) == shown
