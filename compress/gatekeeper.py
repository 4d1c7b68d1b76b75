"""The gatekeeper: judges each measured cell against its baseline, and runs files that changed beside the old ones.

What is compared by stored values is `compress.claims.gate`'s to judge; here is what needs the files, the machine and
the runs before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from compress.claims.gate import Change, compare_cells, slower_than_ever, time_change
from compress.claims.ledger import StoredRun
from compress.claims.policy import Policy
from compress.claims.timing import TimeComparison, time_pair
from compress.errors import DataError, LedgerError
from compress.fingerprint import MACHINE, differences
from compress.suite import Suite
from compress.workbench import Cell, Workbench

REMEMBERED = 20
"""How many green runs a load or compress time is compared with."""

LOAD_FLOOR_S = 0.05
COMPRESS_FLOOR_S = 2.0
"""Differences that are never a regression of load and of compress time."""


@dataclass
class Gatekeeper:
    """Gates the cells of one run. `untimed` is a reason why no file may be timed in this run, empty when it may."""

    suite: Suite
    workbench: Workbench
    untimed: str = ""
    announce: Callable[[str], None] = lambda _: None
    _done: set[tuple[str, Policy, bool]] = field(default_factory=set)

    def compare(self, cell: Cell, policy: Policy) -> list[Change]:
        """Return how a cell differs from its baseline by what is stored of both; empty when asked again.

        Raises `LedgerError` that names the run whose outcomes are damaged.
        """
        suite = self.suite
        if self._again(cell, policy, timing=False) or suite.baseline is None or cell.name not in suite.baseline.cells:
            return []
        run, old = suite.baseline.cells[cell.name]
        try:
            changes = compare_cells(cell.name, old, suite.stored[cell.name], policy)
        except DataError as error:
            remedy = "move the file out of the ledger (the other runs stay usable)"
            raise LedgerError(f"{run.path}: {cell.name}: {error}; {remedy}") from error
        return suite.tell(changes + self._slow_in_making(cell, policy))

    def time(self, cell: Cell, policy: Policy) -> list[Change]:
        """Run a changed file beside its baseline's and return what came of it; empty when asked again.

        A file that cannot be timed here is remembered in `Suite.untimed`, with the reason.
        """
        suite, baseline = self.suite, self.suite.baseline
        if self._again(cell, policy, timing=True) or baseline is None or not self._must_be_timed(cell):
            return []
        if self.untimed:
            suite.untimed[cell.name] = self.untimed
            return []
        old = baseline.file(cell.name)
        if old is None:
            run = baseline.beside[cell.name][0]
            suite.untimed[cell.name] = f"the ledger no longer has the file of {run.describe()}"
            return []
        found = self._passed_before(cell, policy)
        if found is None:
            self.announce(f"timing {cell.name} beside its baseline")
            sample = self.workbench.data(cell.subject).evaluation_x[:1]
            found = time_pair(old, cell.artifact.path, cell.artifact.runtime, sample, policy)
        return self._timed(cell, found, policy) + self._slow_to_load(cell, policy)

    def _again(self, cell: Cell, policy: Policy, *, timing: bool) -> bool:
        asked = (cell.name, policy, timing)
        again = asked in self._done
        self._done.add(asked)
        return again

    def _must_be_timed(self, cell: Cell) -> bool:
        """Return whether the file is another one than the baseline's; a golden file has no files to run beside."""
        suite = self.suite
        if not suite.gated or suite.baseline is None or suite.baseline.ledger is None:
            return False
        return cell.measurement.was_run and cell.name in suite.changed_files

    def _passed_before(self, cell: Cell, policy: Policy) -> TimeComparison | None:
        """Return the comparison by which this very pair of files passed in an earlier run here, if there was one."""
        assert self.suite.baseline is not None
        run, latest = self.suite.baseline.latest[cell.name]
        timed = latest.get("timed")
        if timed is None or latest["sha256"] != cell.artifact.sha256 or self._elsewhere(run, latest, cell):
            return None
        found = TimeComparison.from_json(timed["comparison"])
        same = timed["against"] == self.suite.baseline.beside[cell.name][1]["sha256"]
        asked_no_less = found.allowed_slowdown_fraction <= policy.allowed_slowdown_fraction
        return found if same and asked_no_less and found.verdict == "passed" else None

    def _timed(self, cell: Cell, comparison: TimeComparison, policy: Policy) -> list[Change]:
        assert self.suite.baseline is not None
        run, old = self.suite.baseline.beside[cell.name]
        informs = self._elsewhere(run, old, cell) if policy.time_on_another_machine == "inform" else ""
        self.suite.timings[cell.name] = comparison
        between_runs = (cell.name, "latency_s")
        self.suite.changes = [one for one in self.suite.changes if (one.cell, one.metric) != between_runs]
        if not informs:  # what was only told may be judged in a later run
            self.suite.stored[cell.name]["timed"] = {"against": old["sha256"], "comparison": comparison.to_json()}
        return self.suite.tell([time_change(cell.name, comparison, informs)])

    def _elsewhere(self, run: StoredRun, stored: Mapping[str, Any], cell: Cell) -> str:
        """Return how machine or runtime differ from those of a stored cell, for people; empty when they do not."""
        before, here = run.compress.get("fingerprint", {}), self.suite.fingerprint
        others = [key for key in MACHINE if before.get(key) != here.get(key)]
        found = [f"on another machine ({', '.join(others)})"] if others else []
        runtimes = differences(stored.get("versions") or {}, dict(cell.measurement.versions or {}))
        if runtimes:
            found.append(f"with another runtime ({'; '.join(runtimes)})")
        return f"the baseline was made {' and '.join(found)}: told, not judged" if found else ""

    def _slow_in_making(self, cell: Cell, policy: Policy) -> list[Change]:
        """Return the change of compress time when it is slower than ever here; a file that was kept has its old one."""
        latest = self._latest_here(cell.name)
        made = cell.measurement.values.get("compress_time_s")
        if latest is None or not isinstance(made, int | float):
            return []
        allowed = policy.allowed_compress_slowdown_fraction
        return self._slower_than_ever(cell, "compress_time_s", latest, made, allowed, COMPRESS_FLOOR_S)

    def _slow_to_load(self, cell: Cell, policy: Policy) -> list[Change]:
        """Return the change of load time of a changed file that loads slower than ever, the best of three loads."""
        latest, load = self._latest_here(cell.name), cell.measurement.values.get("load_time_s")
        if latest is None or not isinstance(load, int | float):
            return []
        allowed = policy.allowed_load_slowdown_fraction
        for _ in range(2):
            if not self._slower_than_ever(cell, "load_time_s", latest, load, allowed, LOAD_FLOOR_S):
                return []
            load = min(load, self.workbench.load_time_s(cell))
        return self.suite.tell(self._slower_than_ever(cell, "load_time_s", latest, load, allowed, LOAD_FLOOR_S))

    def _latest_here(self, cell: str) -> Mapping[str, Any] | None:
        """Return the last green measurement of a cell when it was made on this very machine and software."""
        baseline = self.suite.baseline
        if not self.suite.gated or baseline is None or baseline.ledger is None:
            return None
        run, latest = baseline.latest[cell]
        return latest if run.compress.get("fingerprint") == self.suite.fingerprint else None

    def _slower_than_ever(
        self, cell: Cell, metric: str, latest: Mapping[str, Any], measured: float, allowed: float, floor_s: float
    ) -> list[Change]:
        before = latest["values"].get(metric)
        if not isinstance(before, int | float):
            return []
        if slower_than_ever(cell.name, metric, [before], measured, allowed, floor_s) is None:
            return []
        # only now is it worth reading the older runs
        change = slower_than_ever(cell.name, metric, self._greens(cell.name, metric), measured, allowed, floor_s)
        return [] if change is None else [change]

    def _greens(self, cell: str, metric: str) -> Sequence[float]:
        """Return a metric of the last green runs that have `cell` and are of this very fingerprint."""
        assert self.suite.baseline is not None
        assert self.suite.baseline.ledger is not None
        runs = (run for run in self.suite.baseline.ledger.newest_first() if run.may_be_baseline(cell))
        alike = (run for run in runs if cell in run.cells and run.compress.get("fingerprint") == self.suite.fingerprint)
        values = (run.cells[cell]["values"].get(metric) for run in islice(alike, REMEMBERED))
        return [value for value in values if isinstance(value, int | float)]
