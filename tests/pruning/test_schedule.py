"""Pruning schedules against Zhu & Gupta's formula and TFMOT's own schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import RecipeError
from compress.pruning.schedule import ConstantSparsity, PolynomialDecay, polynomial_within, pruning_steps
from compress.tfmot.prune import tfmot_schedule

SCHEDULES = [
    ConstantSparsity(0.5),
    ConstantSparsity(0.3, begin_step=7, end_step=29, frequency=4),
    PolynomialDecay(0.5, 0.9, begin_step=1, end_step=31, frequency=3),
    PolynomialDecay(0.0, 0.99, begin_step=0, end_step=30, frequency=10),
    PolynomialDecay(0.2, 0.8, begin_step=5, end_step=40, power=1.0),
    PolynomialDecay(0.5, 0.8, begin_step=6, end_step=6),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_every_step_prunes_when_and_to_what_tfmot_prunes(schedule: ConstantSparsity | PolynomialDecay) -> None:
    theirs = tfmot_schedule(schedule)
    for step in range(1, 60):
        should_prune, sparsity = theirs(np.int64(step))
        assert schedule.prunes_at(step) == bool(should_prune), step
        if schedule.prunes_at(step):
            assert schedule.sparsity_at(step) == pytest.approx(float(sparsity), abs=1e-6), step


def test_polynomial_decay_is_equation_1_of_zhu_and_gupta() -> None:
    schedule = PolynomialDecay(0.1, 0.9, begin_step=10, end_step=110, frequency=20)
    by_hand = {10: 0.1, 30: 0.9 - 0.8 * 0.8**3, 50: 0.9 - 0.8 * 0.6**3, 90: 0.9 - 0.8 * 0.2**3, 110: 0.9}
    assert {step: schedule.sparsity_at(step) for step in by_hand} == pytest.approx(by_hand)


@given(
    steps=st.integers(1, 3000),
    initial=st.floats(0, 0.99),
    final=st.floats(0, 0.99),
)
def test_a_fitted_schedule_reaches_its_sparsity_in_a_training_of_any_length(
    steps: int, initial: float, final: float
) -> None:
    updates = pruning_steps(polynomial_within(steps, initial, final), steps)
    assert list(updates.values())[-1] == final
    assert len(updates) <= 51
    assert max(updates) <= max(1, steps * 3 // 4)
    if len(updates) > 1:
        assert updates[1] == pytest.approx(initial)


def test_a_training_too_short_for_its_schedule_is_refused_with_what_it_reaches() -> None:
    with pytest.raises(RecipeError, match=r"32 training steps end before .*: the last sparsity applied is none"):
        pruning_steps(ConstantSparsity(0.9, begin_step=0, frequency=100), 32)
    with pytest.raises(RecipeError, match=r"last sparsity applied is 0\.85, not 0\.9"):
        pruning_steps(PolynomialDecay(0.5, 0.9, begin_step=1, end_step=61, frequency=30), 32)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ConstantSparsity(1.0), r"sparsity must be in \[0, 1\), got 1.0"),
        (lambda: ConstantSparsity(float("nan")), "sparsity must be in"),
        (lambda: PolynomialDecay(-0.1, 0.5, 0, 10), "initial_sparsity must be in"),
        (lambda: PolynomialDecay(0.1, 1.5, 0, 10), "final_sparsity must be in"),
        (lambda: PolynomialDecay(0.1, 0.5, 10, 9), r"end_step must be at least begin_step \(10\), got 9"),
        (lambda: PolynomialDecay(0.1, 0.5, 0, -1), "end_step must be at least"),
        (lambda: ConstantSparsity(0.5, begin_step=-1), "begin_step must be at least 0, got -1"),
        (lambda: ConstantSparsity(0.5, frequency=0), "frequency must be at least 1, got 0"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_at_construction(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build()
