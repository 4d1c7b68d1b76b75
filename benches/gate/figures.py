"""The figures that the gate's claims are about, each a share of recorded comparisons with Wilson's limits."""

from __future__ import annotations

from typing import Literal

from benches.gate import peers
from benches.gate.rates import found_in, share, wrong_at_the_limit
from benches.gate.recording import Recording
from compress.claims.bound import Estimate


def verdicts(recording: Recording, verdict: Literal["passed", "failed"], slowdown: float = 0.0) -> Estimate:
    """Return the share of trials of a file beside itself, shifted by `slowdown`, with this verdict, in percent."""
    found = found_in(recording.beside_itself(), slowdown)
    note = f"pass/undecided/fail {found} %, decided after {found.mean_s:.2f} s"
    return share(getattr(found, verdict), found.n, recording.confidence, note)


def wrongly_passed(recording: Recording, slowdown: float) -> Estimate:
    """Return how many trials passed that were shifted by `slowdown`, or physically slowed by as much and more."""
    slowed = [trial for trial in recording.trials if trial.slowdown_fraction >= slowdown]
    found = (found_in(recording.beside_itself(), slowdown), found_in(slowed))
    passed = sum(one.passed for one in found)
    return Estimate(passed, passed, passed, "trials", sum(one.n for one in found))


def wrong_a_side(recording: Recording, *, kept: bool = False) -> Estimate:
    """Return how often either limit of the interval was wrong where the truth is the limit allowed, in percent."""
    return share(*wrong_at_the_limit(recording.beside_itself(kept=kept)), recording.confidence)


def todays_false_alarms(recording: Recording, rule: str) -> Estimate:
    """Return the share of runs that `rule` fails against the run of the same file before them, in percent."""
    failed = n = 0
    for pair in {solo.pair for solo in recording.solos}:
        solos = [solo for solo in recording.solos if solo.pair == pair]
        following = peers.next_runs(peers.sides_of_runs(solos, rule))
        failed, n = failed + peers.fails(following, rule), n + len(following)
    return share(failed, n, recording.confidence)
