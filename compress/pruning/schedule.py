"""When a training step prunes, and to which sparsity (Zhu & Gupta 2017, equation 1; TFMOT's step semantics)."""

from __future__ import annotations

from dataclasses import dataclass

from compress.errors import RecipeError


def check_sparsity(name: str, sparsity: float) -> None:
    """Raise `RecipeError` unless `sparsity`, the fraction of weights set to zero, is in [0, 1)."""
    if not 0.0 <= sparsity < 1.0:
        raise RecipeError(f"{name} must be in [0, 1), got {sparsity}")


@dataclass(frozen=True)
class ConstantSparsity:
    """The same sparsity at every pruning step from ``begin_step`` to ``end_step`` (-1: to the end of training).

    Training steps count from 1, as TFMOT counts them: a step prunes before its forward pass. Raises `RecipeError` for
    a sparsity outside [0, 1), a range that ends before it begins, or a frequency below 1.
    """

    sparsity: float
    begin_step: int = 1
    end_step: int = -1
    frequency: int = 1

    def __post_init__(self) -> None:
        check_sparsity("sparsity", self.sparsity)
        _check_steps(self.begin_step, self.end_step, self.frequency, may_be_open=True)

    @property
    def final_sparsity(self) -> float:
        """Sparsity that the schedule ends at."""
        return self.sparsity

    def prunes_at(self, step: int) -> bool:
        """Return whether training step `step` recomputes the masks."""
        return _is_turn(step, self.begin_step, self.end_step, self.frequency)

    def sparsity_at(self, step: int) -> float:
        """Return the sparsity that a pruning at `step` aims at."""
        del step
        return self.sparsity


@dataclass(frozen=True)
class PolynomialDecay:
    """Sparsity that rises from ``initial_sparsity`` to ``final_sparsity``, fast at first and ever slower.

    s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3, where t_0 is ``begin_step``, dt is ``frequency`` and n dt is
    ``end_step - begin_step`` (Zhu & Gupta 2017, equation 1, whose cubic is ``power = 3``). Training steps count from
    1, as TFMOT counts them. Raises `RecipeError` for a sparsity outside [0, 1), a range that ends before it begins, or
    a frequency below 1.
    """

    initial_sparsity: float
    final_sparsity: float
    begin_step: int
    end_step: int
    frequency: int = 1
    power: float = 3.0

    def __post_init__(self) -> None:
        check_sparsity("initial_sparsity", self.initial_sparsity)
        check_sparsity("final_sparsity", self.final_sparsity)
        _check_steps(self.begin_step, self.end_step, self.frequency, may_be_open=False)

    def prunes_at(self, step: int) -> bool:
        """Return whether training step `step` recomputes the masks."""
        return _is_turn(step, self.begin_step, self.end_step, self.frequency)

    def sparsity_at(self, step: int) -> float:
        """Return the sparsity that a pruning at `step` aims at; before and after the range, that of its nearer end."""
        if step >= self.end_step:
            return self.final_sparsity
        remaining_fraction = 1.0 - max(step - self.begin_step, 0) / (self.end_step - self.begin_step)
        share: float = remaining_fraction**self.power
        return self.final_sparsity + (self.initial_sparsity - self.final_sparsity) * share


Schedule = ConstantSparsity | PolynomialDecay


def pruning_steps(schedule: Schedule, training_steps: int) -> dict[int, float]:
    """Return the sparsity of every step of 1..`training_steps` that prunes: ``{1: 0.5, 11: 0.78, 21: 0.9}``.

    Raises `RecipeError` when a training this short never reaches the final sparsity. TFMOT's own schedules prune
    every 100 steps by default, and leave a model trained for 32 steps as dense as it was, without a word.
    """
    steps = {step: schedule.sparsity_at(step) for step in range(1, training_steps + 1) if schedule.prunes_at(step)}
    if not steps or steps[max(steps)] != schedule.final_sparsity:
        reached = f"{steps[max(steps)]:.4g}" if steps else "none"
        raise RecipeError(
            f"{training_steps} training steps end before {schedule} does: the last sparsity applied is {reached}, not "
            f"{schedule.final_sparsity}; train for more epochs or prune earlier and more often"
        )
    return steps


def polynomial_within(training_steps: int, initial_sparsity: float, final_sparsity: float) -> PolynomialDecay:
    """Return a polynomial decay that fits a training of any length: its last update falls on its end step.

    It spans three quarters of the training, so that the last recovers at full sparsity, in at most 51 updates.
    """
    span = max(training_steps * 3 // 4 - 1, 0)
    frequency = max(-(-span // 50), 1)
    end_step = 1 + span // frequency * frequency
    return PolynomialDecay(initial_sparsity, final_sparsity, 1, end_step, frequency)


def _is_turn(step: int, begin_step: int, end_step: int, frequency: int) -> bool:
    in_range = begin_step <= step and (step <= end_step or end_step == -1)
    return in_range and (step - begin_step) % frequency == 0


def _check_steps(begin_step: int, end_step: int, frequency: int, *, may_be_open: bool) -> None:
    if begin_step < 0:
        raise RecipeError(f"begin_step must be at least 0, got {begin_step}")
    if end_step < begin_step and not (may_be_open and end_step == -1):
        raise RecipeError(f"end_step must be at least begin_step ({begin_step}), got {end_step}")
    if frequency < 1:
        raise RecipeError(f"frequency must be at least 1, got {frequency}")
