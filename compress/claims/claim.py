"""Claims: a source, a bound and a kind, attached to a bench that measures."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Literal, NoReturn, TypeVar

from compress.claims.bound import Bound, Estimate
from compress.claims.policy import Policy
from compress.errors import ClaimError

Kind = Literal["theorem", "number", "trend", "refuted", "budget"]
KINDS: tuple[Kind, ...] = ("theorem", "number", "trend", "refuted", "budget")
BoundRule = Bound | Callable[..., Bound]
Bench = TypeVar("Bench", bound=Callable[..., Any])


class Verdict(StrEnum):
    """What was found out about a claim, worst last where several findings meet (see `worst`)."""

    HELD = "held"
    REFUTED = "refuted"
    UNMEASURED = "unmeasured"
    UNDECIDED = "undecided"
    BROKEN = "broken"


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the verdict to report of a claim that was judged several times. Raises `ValueError` on none."""
    order = list(Verdict)
    return max(verdicts, key=order.index)


class Unmeasured(Exception):  # noqa: N818 - an outcome, not an error
    """Raised by a bench that cannot measure here; its text is the reason."""


def unmeasured(reason: str) -> NoReturn:
    """End a bench with the verdict `unmeasured` and its reason: what is missing and how to supply it."""
    raise Unmeasured(reason)


@dataclass(frozen=True)
class Claim:
    """What a bench claims: the sentences it stands for, the bound on what it returns, and the kind of truth it is.

    ``theorem`` holds for any model, ``number`` is the paper's own architecture against the printed figure, ``trend``
    is an ordering shown on a smaller trained analogue, ``refuted`` means: the paper says otherwise, and the bound
    asserts what is measured instead; ``budget`` is a team's own limit. Raises `ClaimError` on an unknown kind or an
    empty source.
    """

    sources: tuple[str, ...]
    bound: BoundRule
    kind: Kind

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ClaimError(f"claim kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if not self.sources or not all(isinstance(source, str) and source for source in self.sources):
            raise ClaimError("a claim needs at least one source, such as 'saxena2024/III-A/dynamic-range-size'")

    def bound_for(self, parameters: Mapping[str, object]) -> Bound:
        """Return the bound of one parametrization: a rule is called with those parameters that it names.

        ``scale`` is one of them in every run: full data can decide what a small sample cannot. Raises `ClaimError` when
        the bench has no such parameter, or the rule returns no bound.
        """
        if isinstance(self.bound, Bound):
            return self.bound
        wanted = inspect.signature(self.bound).parameters
        if unknown := [name for name in wanted if name not in parameters]:
            raise ClaimError(
                f"{self.sources[0]}: the bound's rule asks for {', '.join(unknown)}; "
                f"the bench's parameters are {', '.join(parameters) or 'none'}"
            )
        bound = self.bound(**{name: parameters[name] for name in wanted})
        if not isinstance(bound, Bound):
            raise ClaimError(f"{self.sources[0]}: the bound's rule returns {bound!r}, not a bound")
        return bound


def claim(*sources_and_bound: str | BoundRule, kind: Kind = "theorem") -> Callable[[Bench], Bench]:
    """Attach a claim to a bench: ``@claim("paper/section/name", at_least(3.85, why="..."))``.

    The last positional argument is the bound on what the bench returns (a number, a bool or an `Estimate`), or a
    function of the bench's parameters that returns one; those before it are the sources it stands for. Decorators may
    be stacked.
    """
    if not sources_and_bound:
        raise ClaimError("@claim needs its sources and, last, a bound such as at_least(3.85, why='...')")
    *sources, bound = sources_and_bound
    if not isinstance(bound, Bound) and (isinstance(bound, str) or not callable(bound)):
        raise ClaimError("the last argument of @claim is a bound, such as at_least(3.85, why='...')")
    made = Claim(tuple(str(source) for source in sources), bound, kind)

    def attach(bench: Bench) -> Bench:
        claims_of(bench).insert(0, made)
        return bench

    return attach


def claims_of(bench: Callable[..., Any]) -> list[Claim]:
    """Return the claims attached to `bench`, the topmost first; the list may be added to."""
    found: list[Claim] = bench.__dict__.setdefault("compress_claims", [])
    return found


def limits(**changed: Any) -> Callable[[Bench], Bench]:
    """Gate the cells that a bench asks for by other limits: ``@limits(allowed_slowdown_fraction=0.2)``.

    The names are the fields of `Policy`; those that are not named stay as the repository has them. A cell that other
    benches ask for too is gated for each of them by its own limits. Raises `ClaimError` on a limit that has no meaning.
    """
    if unknown := sorted(changed.keys() - {field.name for field in fields(Policy)}):
        raise ClaimError(
            f"@limits: no limit {', '.join(unknown)}; there are {', '.join(f.name for f in fields(Policy))}"
        )
    Policy(**changed)

    def attach(bench: Bench) -> Bench:
        limits_of(bench).update(changed)
        return bench

    return attach


def limits_of(bench: Callable[..., Any]) -> dict[str, Any]:
    """Return the limits attached to `bench`, by field of `Policy`; the dictionary may be added to."""
    found: dict[str, Any] = bench.__dict__.setdefault("compress_limits", {})
    return found


@dataclass(frozen=True)
class Judgement:
    """A claim's verdict in one run: what was measured, against which bound, and where."""

    sources: tuple[str, ...]
    kind: Kind
    verdict: Verdict
    where: str
    measured: str = ""
    bound: str = ""
    why: str = ""
    reason: str = ""


def as_estimate(measured: object) -> Estimate:
    """Return what a bench returned as an estimate. Raises `ClaimError` for anything that is not a number."""
    if isinstance(measured, Estimate):
        return measured
    try:
        value = float(measured)  # type: ignore[arg-type] # whatever has __float__, numpy's numbers among them
    except (TypeError, ValueError):
        value = None
    if value is None or isinstance(measured, str | bytes):
        got = "None" if measured is None else f"a {type(measured).__name__}"
        raise ClaimError(f"a bench with a claim returns a number, a bool or an Estimate, got {got}")
    return Estimate(value, value, value)


def judge(claim: Claim, parameters: Mapping[str, object], measured: object, where: str) -> Judgement:
    """Return the verdict on `measured`: held inside the bound, broken outside, undecided where it straddles.

    What is not a number (NaN) is broken. Raises `ClaimError` when there is nothing to judge, or no bound.
    """
    bound, estimate = claim.bound_for(parameters), as_estimate(measured)
    nan = any(math.isnan(value) for value in (estimate.value, estimate.low, estimate.high))
    inside = not nan and bound.low <= estimate.low and estimate.high <= bound.high
    outside = nan or estimate.high < bound.low or estimate.low > bound.high
    if inside:
        verdict = Verdict.REFUTED if claim.kind == "refuted" else Verdict.HELD
    else:
        verdict = Verdict.BROKEN if outside else Verdict.UNDECIDED
    is_bool = type(measured).__name__ in ("bool", "bool_")  # Python's, or numpy's by any of its names
    shown = ("yes" if estimate.value else "no") if is_bool else str(estimate)
    return Judgement(claim.sources, claim.kind, verdict, where, shown, str(bound), bound.why, estimate.note)
