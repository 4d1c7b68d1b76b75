"""Bounds are intervals with a reason; estimates are values with an interval."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.claims import Estimate, about, at_least, at_most, between, exactly, is_true
from compress.claims.bound import Bound, format_number
from compress.errors import ClaimError

WHY = "the paper's cell"


@pytest.mark.parametrize(
    ("bound", "low", "high", "text"),
    [
        (at_least(3.85, why=WHY), 3.85, math.inf, ">= 3.85"),
        (at_most(2, why=WHY), -math.inf, 2, "<= 2"),
        (between(0.5, 1, why=WHY), 0.5, 1, "0.5 .. 1"),
        (exactly(20410, why=WHY), 20410, 20410, "= 20,410"),
        (about(4, within_fraction=0.25, why=WHY), 3, 5, "3 .. 5"),
        (about(-4, within_fraction=0.25, why=WHY), -5, -3, "-5 .. -3"),
        (is_true(why=WHY), 1, 1, "= 1"),
    ],
)
def test_a_bound_is_an_interval_that_reads_like_the_claim(bound, low, high, text):
    assert (bound.low, bound.high, str(bound), bound.why) == (low, high, text, WHY)


@pytest.mark.parametrize("why", ["", "   ", "\n"])
def test_a_bound_without_a_reason_is_refused(why):
    with pytest.raises(ClaimError, match="a bound needs a why"):
        at_least(1, why=why)


@pytest.mark.parametrize(("low", "high"), [(2, 1), (math.nan, 1), (0, math.nan)])
def test_an_empty_interval_is_refused(low, high):
    with pytest.raises(ClaimError, match=r"a bound needs low <= high, got \["):
        Bound(low, high, WHY)


def test_an_estimate_with_swapped_limits_is_refused():
    with pytest.raises(ClaimError, match=r"an estimate needs low <= high, got \[2, 1\]"):
        Estimate(1.5, 2, 1)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(3.91, 3.91, 3.91), "3.91"),
        (Estimate(1.5, 0.25, 2.75, "points", 3000), "1.5 [0.25, 2.75] points (n=3000)"),
        (Estimate(78170, 78170, 78170, "bytes"), "78,170 bytes"),
    ],
)
def test_an_estimate_prints_its_interval_only_where_it_has_one(estimate, text):
    assert str(estimate) == text


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_printed_number_is_the_number_to_five_digits(value):
    text = format_number(value).replace(",", "")
    if math.isnan(value):
        assert text == "nan"
    else:
        assert float(text) == pytest.approx(value, rel=5e-5, abs=1e-300)


@given(st.integers(-(10**12), 10**12))
def test_a_whole_number_is_printed_whole(value):
    assert format_number(value) == f"{value:,}"
