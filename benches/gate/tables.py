"""The report's tables of a recording: what the gate did, other estimators, no reloading, and today's tools."""

from __future__ import annotations

from collections.abc import Sequence

from benches.gate import peers
from benches.gate.rates import (
    ESTIMATORS,
    LIMIT,
    POLICY,
    Found,
    found_in,
    spread,
    wrong_at_the_limit,
)
from benches.gate.recording import Recording, Trial
from compress.suite import PrintedTable

SLOWDOWNS = (0.05, 0.1, 0.2, 0.5)


def tables(recording: Recording) -> list[PrintedTable]:
    """Return all tables of a recording; those without a trial are left out."""
    made = (characteristics(recording), estimators(recording), reloading(recording), todays_tools(recording))
    return [table for table in made if table.rows]


def by_pair(trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    """Return trials by the pair of files, in the order of their first."""
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.pair, []).append(trial)
    return found


def characteristics(recording: Recording) -> PrintedTable:
    """Return how often the gate passed, was undecided and failed, by the truth."""
    alike = recording.beside_itself()
    pairs = list(by_pair(alike))
    table = PrintedTable(
        f"{recording.state}: the gate at allowed {LIMIT:.0%}, confidence {POLICY.confidence:.0%}; pass/undecided/fail "
        f"in %, n, mean seconds until decided (others computed on {recording.others_cores:.2f} cores)",
        ("truth", "n", "all", "s", *pairs),
    )
    shifted = [("A/A", 0.0), *((f"+{slowdown:.0%} shifted", slowdown) for slowdown in SLOWDOWNS)]
    rows = [(name, alike, slowdown) for name, slowdown in shifted]
    rows += [(f"+{slowdown:.0%} physical", recording.slowed(slowdown), 0.0) for slowdown in SLOWDOWNS]
    for name, trials, slowdown in rows:
        if trials:
            found = found_in(trials, slowdown)
            one_by_one = by_pair(trials)
            each = (_cell(found_in(one_by_one.get(pair, []), slowdown)) for pair in pairs)
            table.rows.append((name, str(found.n), str(found), f"{found.mean_s:.2f}", *each))
    return table


def estimators(recording: Recording) -> PrintedTable:
    """Return what stands for a side in a block, compared on the same trials."""
    alike = recording.beside_itself()
    pairs = by_pair(alike)
    table = PrintedTable(
        f"{recording.state}: what may stand for a side in a block, on the same {len(alike)} trials; "
        "pass/undecided/fail in %, SD of a whole trial's estimate in %",
        ("estimator", "A/A", "s", "wrong a side at +5%", "+10%", "+20%", *(f"SD {pair}" for pair in pairs)),
    )
    for estimator in ESTIMATORS if alike else ():
        found = found_in(alike, 0.0, estimator)
        wrong, limits = wrong_at_the_limit(alike, estimator)
        name = f"{estimator} (recommended)" if estimator is ESTIMATORS[0] else str(estimator)
        table.rows.append(
            (
                name,
                str(found),
                f"{found.mean_s:.2f}",
                f"{100 * wrong / limits:.2f}",
                str(found_in(alike, 0.1, estimator)),
                str(found_in(alike, 0.2, estimator)),
                *(f"{100 * spread(trials, estimator):.2f}" for trials in pairs.values()),
            )
        )
    return table


def reloading(recording: Recording) -> PrintedTable:
    """Return what reloading in every block is worth: the same intervals over blocks of instances that are kept."""
    table = PrintedTable(
        f"{recording.state}: fresh instances in every block, against one pair of instances in all of a trial's blocks",
        ("instances", "n", "A/A", "wrong a side at +5%, %", "SD of the estimate, %"),
    )
    kept = by_pair(recording.beside_itself(kept=True))
    fresh = by_pair(recording.beside_itself())
    for pair, trials in kept.items():
        for name, found in (("fresh", fresh.get(pair, [])), ("kept", trials)):
            if found:
                wrong, limits = wrong_at_the_limit(found)
                share = f"{100 * wrong / limits:.1f}"
                table.rows.append(
                    (f"{name}, {pair}", str(len(found)), str(found_in(found)), share, f"{100 * spread(found):.2f}")
                )
    return table


def todays_tools(recording: Recording) -> PrintedTable:
    """Return how often today's rules fail, on two runs as users make them, and on the gate's interleaved trials."""
    table = PrintedTable(
        f"{recording.state}: today's tools, comparisons that fail in %; of runs: a fresh process and file each, 0.7 s; "
        "+10% and the like: that data, the new side's times multiplied",
        (
            "rule",
            "next runs",
            "A/A",
            "all runs",
            "A/A",
            *(f"+{slowdown:.0%}" for slowdown in SLOWDOWNS),
            "interleaved",
            "A/A",
            "+10%",
            "+20%",
        ),
    )
    interleaved = by_pair(recording.beside_itself())
    for pair in dict.fromkeys(solo.pair for solo in recording.solos):
        solos = [solo for solo in recording.solos if solo.pair == pair]
        trials = interleaved.get(pair, [])
        beside = [peers.sides_of_trial(trial) for trial in trials]
        for rule in peers.RULES:
            sides = peers.sides_of_runs(solos, rule)
            following, every = peers.next_runs(sides), peers.all_runs(sides)
            table.rows.append(
                (
                    f"{rule}, {pair}",
                    str(len(following)),
                    _failing(following, rule),
                    str(len(every)),
                    *(_failing(every, rule, slowdown) for slowdown in (0.0, *SLOWDOWNS)),
                    str(len(beside)),
                    *(_failing(beside, rule, slowdown) for slowdown in (0.0, 0.1, 0.2)),
                )
            )
        gate = [found_in(trials, slowdown) for slowdown in (0.0, 0.1, 0.2)]
        shares = (f"{100 * found.failed / found.n:.1f}" if found.n else "-" for found in gate)
        table.rows.append((f"this gate, {pair}", *[""] * 8, str(len(trials)), *shares))
    return table


def _cell(found: Found) -> str:
    return f"{found} n={found.n} {found.mean_s:.2f} s" if found.n else "-"


def _failing(pairs: Sequence[tuple[peers.Side, peers.Side]], rule: str, slowdown: float = 0.0) -> str:
    return f"{100 * peers.fails(pairs, rule, slowdown) / len(pairs):.1f}" if pairs else "-"
