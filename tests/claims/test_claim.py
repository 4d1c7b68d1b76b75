"""A claim is judged held inside its bound, broken outside of it, and undecided where the interval straddles."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.claims import Estimate, at_least, between, claim, exactly, is_true, unmeasured
from compress.claims.claim import Claim, Unmeasured, Verdict, claims_of, judge, worst
from compress.errors import ClaimError

WHY = "3,000 samples"
NUMBERS = st.floats(-1e6, 1e6)


def verdict(measured, bound, kind="theorem"):
    return judge(Claim(("a/source",), bound, kind), {}, measured, "test_here").verdict


@given(st.lists(NUMBERS, min_size=3, max_size=3).map(sorted), st.lists(NUMBERS, min_size=2, max_size=2).map(sorted))
def test_the_verdict_follows_from_where_the_interval_lies(estimate, limits):
    (low, value, high), (least, most) = estimate, limits
    inside = all(least <= x <= most for x in (low, high))
    apart = high < least or most < low
    expected = Verdict.HELD if inside else Verdict.BROKEN if apart else Verdict.UNDECIDED
    assert verdict(Estimate(value, low, high), between(least, most, why=WHY)) is expected


@given(NUMBERS, st.lists(NUMBERS, min_size=2, max_size=2).map(sorted))
def test_an_exact_value_is_never_undecided(value, limits):
    held = limits[0] <= value <= limits[1]
    assert verdict(value, between(*limits, why=WHY)) is (Verdict.HELD if held else Verdict.BROKEN)


@given(st.lists(NUMBERS, min_size=3, max_size=3).map(sorted), st.lists(NUMBERS, min_size=2, max_size=2).map(sorted))
def test_a_refuted_claim_differs_only_where_what_is_asserted_instead_holds(estimate, limits):
    measured, bound = Estimate(estimate[1], estimate[0], estimate[2]), between(*limits, why=WHY)
    plain, refuted = verdict(measured, bound), verdict(measured, bound, "refuted")
    assert refuted is (Verdict.REFUTED if plain is Verdict.HELD else plain)


@pytest.mark.parametrize(
    "measured",
    [math.nan, np.float32("nan"), Estimate(math.nan, 0, 1), Estimate(0.5, math.nan, 1), Estimate(0.5, 0, math.nan)],
)
def test_what_is_no_number_is_broken(measured):
    assert verdict(measured, between(-math.inf, math.inf, why=WHY)) is Verdict.BROKEN


@pytest.mark.parametrize(
    ("answer", "shown"), [(True, "yes"), (False, "no"), (np.bool_(True), "yes"), (np.False_, "no")]
)
def test_a_yes_or_no_claim_takes_a_bool(answer, shown):
    judgement = judge(Claim(("s",), is_true(why=WHY), "trend"), {}, answer, "here")
    assert (judgement.verdict, judgement.measured) == (Verdict.HELD if answer else Verdict.BROKEN, shown)


@pytest.mark.parametrize("number", [4, 4.0, np.float32(4), np.int64(4), np.array(4.0)])
def test_any_number_can_be_judged(number):
    assert verdict(number, exactly(4, why=WHY)) is Verdict.HELD


@pytest.mark.parametrize(
    ("returned", "shown"),
    [(None, "None"), ("4", "a str"), ([1], "a list"), (np.ones(2), "a ndarray"), (4j, "a complex")],
)
def test_what_cannot_be_judged_is_refused(returned, shown):
    with pytest.raises(ClaimError, match=f"returns a number, a bool or an Estimate, got {shown}$"):
        verdict(returned, exactly(4, why=WHY))


def test_a_judgement_says_what_was_measured_against_what_and_why():
    estimate = Estimate(1.5, 1.2, 1.9, "points", 3000, note="45 lost, 0 gained")
    judgement = judge(Claim(("p/one", "p/two"), at_least(2, why=WHY), "number"), {}, estimate, "test_x[lenet_5]")
    assert judgement.sources == ("p/one", "p/two")
    assert (judgement.kind, judgement.where) == ("number", "test_x[lenet_5]")
    assert judgement.measured == "1.5 [1.2, 1.9] points (n=3000)"
    assert (judgement.bound, judgement.why, judgement.reason) == (">= 2", WHY, "45 lost, 0 gained")


def test_a_bound_may_follow_from_the_parameters():
    rule = Claim(("s",), lambda sparsity: at_least(10 * sparsity, why=WHY), "number")
    assert rule.bound_for({"sparsity": 0.5, "bits": 8}).low == 5


def test_a_bound_rule_that_asks_for_more_than_the_bench_has_is_refused():
    rule = Claim(("p/s",), lambda sparsity: at_least(sparsity, why=WHY), "number")
    with pytest.raises(ClaimError, match=r"p/s: the bound's rule asks for sparsity; the bench's parameters are scale$"):
        rule.bound_for({"scale": "paper"})


def test_a_bound_rule_that_returns_no_bound_is_refused():
    with pytest.raises(ClaimError, match="p/s: the bound's rule returns 3, not a bound"):
        Claim(("p/s",), lambda: 3, "number").bound_for({})


@given(st.permutations(list(Verdict)), st.integers(1, len(Verdict)))
def test_the_worst_verdict_is_reported_whatever_the_order(verdicts, count):
    chosen = verdicts[:count]
    order = [Verdict.HELD, Verdict.REFUTED, Verdict.UNMEASURED, Verdict.UNDECIDED, Verdict.BROKEN]
    assert worst(chosen) is order[max(order.index(one) for one in chosen)]


def test_the_worst_of_no_verdicts_is_an_error():
    with pytest.raises(ValueError, match="empty"):
        worst([])


def test_stacked_claims_are_kept_topmost_first():
    @claim("p/first", at_least(1, why=WHY))
    @claim("p/second", "p/third", at_least(2, why=WHY), kind="trend")
    def bench():
        return 1

    assert [(one.sources, one.kind) for one in claims_of(bench)] == [
        (("p/first",), "theorem"),
        (("p/second", "p/third"), "trend"),
    ]
    assert bench() == 1


@pytest.mark.parametrize(
    ("arguments", "options", "reason"),
    [
        ((), {}, "@claim needs its sources and, last, a bound"),
        (("p/s",), {}, "the last argument of @claim is a bound"),
        (("p/s", 3.85), {}, "the last argument of @claim is a bound"),
        ((at_least(1, why=WHY),), {}, "a claim needs at least one source"),
        (("", at_least(1, why=WHY)), {}, "a claim needs at least one source"),
        (
            ("p/s", at_least(1, why=WHY)),
            {"kind": "guess"},
            "kind must be one of theorem, number, trend, refuted, budget, got 'guess'",
        ),
    ],
)
def test_a_malformed_claim_is_refused_where_it_is_written(arguments, options, reason):
    with pytest.raises(ClaimError, match=reason):
        claim(*arguments, **options)(lambda: None)


def test_unmeasured_ends_a_bench_with_its_reason():
    with pytest.raises(Unmeasured, match="needs CIFAR-10: set COMPRESS_DATA_DIR"):
        unmeasured("needs CIFAR-10: set COMPRESS_DATA_DIR")
