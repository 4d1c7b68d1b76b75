"""Two stored runs compared by the gate's rules, as `pytest --benchmark-compare` would the newer against the older."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from compress.claims.completeness import Gap, find_gaps
from compress.claims.gate import Change, compare_cells, slower_than_ever
from compress.claims.gate import time_change as judge_time
from compress.claims.policy import Policy
from compress.claims.stored_run import StoredRun
from compress.claims.timing import time_pair
from compress.cli.sides import Side
from compress.errors import DataError, LedgerError, ModelFileError, RuntimeCrash
from compress.fingerprint import differences
from compress.gatekeeper import COMPRESS_FLOOR_S, LOAD_FLOOR_S, REMEMBERED
from compress.settings import Settings


@dataclass
class Comparison:
    """What the gate has to say of `new` against `old`; ``changed_files`` can be timed, ``timed`` of them were."""

    old: Side
    new: Side
    shared: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    changed_files: list[str] = field(default_factory=list)
    timed: list[str] = field(default_factory=list)

    @property
    def machine(self) -> list[str]:
        """How machine and software differ, one sentence each; a golden file belongs to no machine."""
        before, after = (side.run.compress.get("fingerprint") for side in (self.old, self.new))
        return differences(before, after) if before and after else []

    @property
    def has_files(self) -> bool:
        """Whether there are files to time: a golden file keeps none."""
        return self.old.ledger is not None and self.new.ledger is not None

    @property
    def fails(self) -> bool:
        """Whether a gated run would have failed on it."""
        return bool(
            self.broken or any(change.fails for change in self.changes) or any(not gap.allowed for gap in self.gaps)
        )


def compare_runs(
    old: Side, new: Side, settings: Settings, *, timing: bool = False, announce: Callable[[str], None] = lambda _: None
) -> Comparison:
    """Return how `new` differs from `old`, with the limits of `settings`; only `timing` runs any model file.

    Raises `LedgerError` that names the runs when stored outcomes or verdicts are damaged.
    """
    found = Comparison(old, new, [name for name in new.run.cells if name in old.run.cells])
    for name in found.shared:
        before, after, policy = old.run.cells[name], new.run.cells[name], settings.policy_of(name)
        try:
            changes = compare_cells(name, before, after, policy)
        except DataError as error:
            raise LedgerError(f"{old.run.path} or {new.run.path}: {name}: {error}; restore the file") from error
        other_file = before.get("sha256") != after.get("sha256")
        if other_file and all(one.get("outcomes") or one.get("scores") for one in (before, after)):
            found.changed_files.append(name)
        slow = _slower(found, name, policy, other_file=other_file)
        judged = {change.metric for change in slow}
        found.changes += slow + [change for change in changes if change.metric not in judged]
    try:
        found.gaps, found.broken = _gaps(found), _broken(new.run)
    except (KeyError, TypeError) as error:
        what = f"{old.run.path} or {new.run.path}: the verdicts cannot be read ({error!r}); restore the file"
        raise LedgerError(what) from error
    if timing and found.has_files:
        for name in found.changed_files:
            _time(found, name, settings.policy_of(name), announce)
    found.gaps = [replace(gap, allowed=gap.kind in settings.allow) for gap in found.gaps]
    return found


def _slower(found: Comparison, name: str, policy: Policy, *, other_file: bool) -> list[Change]:
    """Return the worsenings of load and compress time against the green runs up to the old one, on one fingerprint."""
    old, new = found.old, found.new
    here = new.run.compress.get("fingerprint")
    if not here or old.run.compress.get("fingerprint") != here:
        return []
    limits = [("compress_time_s", policy.allowed_compress_slowdown_fraction, COMPRESS_FLOOR_S)]
    if other_file:
        limits.append(("load_time_s", policy.allowed_load_slowdown_fraction, LOAD_FLOOR_S))
    changes = []
    for metric, allowed, floor_s in limits:
        before, after = (_time_of(side.run.cells[name], metric) for side in (old, new))
        if before is None or after is None or slower_than_ever(name, metric, [before], after, allowed, floor_s) is None:
            continue
        greens = [before, *islice(_greens(old, name, metric), REMEMBERED - 1)]  # only now are older runs worth reading
        changes.append(slower_than_ever(name, metric, greens, after, allowed, floor_s))
    return [change for change in changes if change is not None]


def _greens(side: Side, name: str, metric: str) -> list[float]:
    """Return a metric of the green runs before that of `side` with its fingerprint, the newest first."""
    runs = list(side.ledger.history(side.run.scale)) if side.ledger else []
    number, here = side.run.number, side.run.compress.get("fingerprint")
    values = [
        _time_of(run.cells[name], metric)
        for run in reversed(runs)
        if run.number < number
        and name in run.cells
        and run.may_be_baseline(name)
        and run.compress.get("fingerprint") == here
    ]
    return [value for value in values if value is not None]


def _time_of(cell: Mapping[str, Any], metric: str) -> float | None:
    value = cell["values"].get(metric)
    return float(value) if isinstance(value, int | float) else None


def _gaps(found: Comparison) -> list[Gap]:
    old, new = found.old.run, found.new.run
    if not found.shared:
        return [Gap("empty", "no cell is in both: nothing was compared, which is no pass")]
    if not new.whole(str(old.compress.get("selection"))) or not old.compress.get("complete"):
        return []
    before, after = ({name: str(cell.get("sha256")) for name, cell in run.cells.items()} for run in (old, new))
    # a golden file keeps no verdicts, which is not to say that nothing judges any more
    keep_verdicts = found.new.ledger is not None
    verdicts = old.compress.get("verdicts", []) if keep_verdicts else []
    return find_gaps(before, after, verdicts, new.compress.get("verdicts", []))


def _broken(run: StoredRun) -> list[str]:
    """Return the claims that the run found broken: a run fails on these whatever it is compared with."""
    return [
        f"{', '.join(one['sources'])} in {one['where']}: {one.get('measured') or one.get('reason', '')}"
        + (f", bound {one['bound']}" if one.get("bound") else "")
        for one in run.compress.get("verdicts", [])
        if one["verdict"] == "broken"
    ]


def _time(found: Comparison, name: str, policy: Policy, announce: Callable[[str], None]) -> None:
    files = [side.file(name) for side in (found.old, found.new)]
    for side, file in zip((found.old, found.new), files, strict=True):
        if file is None:
            why = f"the file of {side.run.describe()} is not kept"
            found.gaps.append(Gap("untimed", f"{name}: its file changed and was not timed: {why}"))
            return
    announce(f"timing {name} beside its older file")
    before, after = files
    assert before is not None
    assert after is not None
    try:
        timed = time_pair(before, after, found.new.run.cells[name]["runtime"], None, policy)
    except (ModelFileError, RuntimeCrash) as error:
        found.gaps.append(Gap("untimed", f"{name}: its file changed and could not be timed: {error}"))
        return
    found.timed.append(name)
    found.changes = [one for one in found.changes if (one.cell, one.metric) != (name, "latency_s")]
    found.changes.append(judge_time(name, timed))
