"""A metric over the stored runs: one line a run, what changed against the run before, and a sparkline of it all."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from typing import Any

from compress.claims.ledger import StoredRun
from compress.errors import LedgerError
from compress.fingerprint import differences
from compress.measure.metric import METRICS
from compress.report.columns import aligned
from compress.report.values import as_number, change, metric_called, shown

BARS = "▁▂▃▄▅▆▇█"
PLAIN_BARS = "_.-~=+*#"
NEAR = 5
"""How many like names an error lists."""

SUMMARY_RUNS = 20
"""How many of the last runs a table's sparkline covers; a line of 80 characters has room for no more."""


def of_metric(runs: Sequence[StoredRun], cell: str, metric: str, *, plain: bool = False) -> list[str]:
    """Return a line for each of `runs`, oldest first, that measured `cell`, and a sparkline; `plain` keeps to ASCII.

    Below a run stands what else is to be known of it: why it was accepted, and what machine or software is new.
    """
    kind, measured = metric_called(metric), _measured(runs, cell, metric)
    rows = [("run", "status", "ended (UTC)", "commit", "value", "change")]
    notes: list[list[str]] = [[]]
    before: StoredRun | None = None
    for run in measured:
        old = _value(before, cell, metric) if before else None
        new = _value(run, cell, metric)
        rows.append((run.number, run.status, run.time, run.commit, shown(kind, new), change(kind, old, new)))
        notes.append(_notes(run, before, cell, old, new))
        before = run
    lines = [f"{cell}, {metric}" + (f": {kind.is_what}, {kind.unit}" if kind.unit else "")]
    for row, below in zip(aligned(rows, right=(4, 5)), notes, strict=True):
        lines += [row, *(f"      {note}" for note in below)]
    numbers = [as_number(_value(run, cell, metric)) for run in measured]
    finite = [number for number in numbers if math.isfinite(number)]
    if finite:
        extremes = f"lowest {shown(kind, min(finite))}, highest {shown(kind, max(finite))}"
        lines.append(f"{sparkline(numbers, plain=plain)}  {extremes}")
    return lines


def of_cell(runs: Sequence[StoredRun], cell: str, *, plain: bool = False) -> list[str]:
    """Return a line for each metric of `cell`: its first and last value in `runs`, and a sparkline."""
    names = [name for name in _metrics(runs) if any(_value(run, cell, name) is not None for run in runs)]
    rows = [_summary(runs, cell, name, name, plain=plain) for name in names]
    return [cell, *aligned([("metric", "runs", "first", "last", "change", ""), *rows], right=(1, 2, 3, 4))]


def over_cells(runs: Sequence[StoredRun], metric: str, *, plain: bool = False) -> list[str]:
    """Return a line for each cell that has `metric`: its first and last value in `runs`, and a sparkline."""
    names = [name for name in _cells(runs) if any(_value(run, name, metric) is not None for run in runs)]
    rows = [_summary(runs, name, metric, name, plain=plain) for name in names]
    return [metric, *aligned([("cell", "runs", "first", "last", "change", ""), *rows], right=(1, 2, 3, 4))]


def find_cell(runs: Sequence[StoredRun], name: str) -> str:
    """Return the cell called `name`, or the one whose name holds it. Raises `LedgerError` that lists like names."""
    return _find(name, _cells(runs), "cell")


def find_metric(runs: Sequence[StoredRun], name: str) -> str:
    """Return the metric called `name`, or the one whose name holds it. Raises `LedgerError` that lists like names."""
    return _find(name, _metrics(runs), "metric")


def is_metric(runs: Sequence[StoredRun], name: str) -> bool:
    """Return whether `name` is exactly a metric's."""
    return name in _metrics(runs)


def sparkline(numbers: Sequence[float], *, plain: bool = False) -> str:
    """Return one character a number, the higher the larger; a space where it is not finite, `plain` keeps to ASCII."""
    bars = PLAIN_BARS if plain else BARS
    finite = [number for number in numbers if math.isfinite(number)]
    if not finite:
        return " " * len(numbers)
    low, high = min(finite), max(finite)
    shares = ((one - low) / ((high - low) or 1.0) for one in numbers)
    return "".join(bars[round(share * (len(bars) - 1))] if math.isfinite(share) else " " for share in shares)


def _find(name: str, known: Sequence[str], what: str) -> str:
    if name in known:
        return name
    holding = [one for one in known if name.casefold() in one.casefold()]
    if len(holding) == 1:
        return holding[0]
    if holding:
        raise LedgerError(f"{name!r} is a part of {len(holding)} {what}s: {_listed(holding)}; write more of the name")
    folded = {one.casefold(): one for one in known}
    near = [folded[one] for one in difflib.get_close_matches(name.casefold(), folded, n=NEAR, cutoff=0.5)]
    if near:
        raise LedgerError(f"no {what} {name!r} in the stored runs; did you mean {_listed(near)}?")
    raise LedgerError(f"no {what} {name!r} in the stored runs; there are {_listed(known)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:NEAR])) + (f" and {len(names) - NEAR} more" if len(names) > NEAR else "")


def _cells(runs: Sequence[StoredRun]) -> list[str]:
    return sorted({name for run in runs for name in run.cells})


def _metrics(runs: Sequence[StoredRun]) -> list[str]:
    stored = {name for run in runs for cell in run.cells.values() for name in cell["values"]}
    return [name for name in METRICS if name in stored] + sorted(stored - METRICS.keys())


def _value(run: StoredRun | None, cell: str, metric: str) -> Any:
    return run.cells[cell]["values"].get(metric) if run is not None and cell in run.cells else None


def _measured(runs: Sequence[StoredRun], cell: str, metric: str) -> list[StoredRun]:
    found = [run for run in runs if _value(run, cell, metric) is not None]
    if not found:
        there = ", ".join(name for name in _metrics(runs) if any(_value(run, cell, name) is not None for run in runs))
        raise LedgerError(f"no stored run has {metric} of {cell}; there are {there}")
    return found


def _notes(run: StoredRun, before: StoredRun | None, cell: str, old: object, new: object) -> list[str]:
    notes = [_acceptance(one) for one in run.acceptances(cell)]
    if isinstance(old, dict) and isinstance(new, dict):
        notes += differences(old, new)
    if before is not None:
        machine = differences(before.compress.get("fingerprint", {}), run.compress.get("fingerprint", {}))
        notes += [f"other machine or software than the run before: {line}" for line in machine]
    return notes


def _acceptance(one: dict[str, Any]) -> str:
    by = f" by {one['who']}" if one.get("who") else ""
    return f"accepted {str(one.get('when', ''))[:10]}{by}: {one.get('reason', '')}"


def _summary(runs: Sequence[StoredRun], cell: str, metric: str, name: str, *, plain: bool) -> tuple[str, ...]:
    kind = metric_called(metric)
    values = [_value(run, cell, metric) for run in _measured(runs, cell, metric)]
    ends = shown(kind, values[0]), shown(kind, values[-1])
    since = change(kind, values[0] if len(values) > 1 else None, values[-1])
    bars = sparkline([as_number(value) for value in values[-SUMMARY_RUNS:]], plain=plain)
    return (name, str(len(values)), *ends, since, bars)
