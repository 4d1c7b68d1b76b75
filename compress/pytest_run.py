"""One run under pytest: a suite's state tied to the session and to pytest-benchmark's timer, files and options."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from compress.errors import ClaimError, CompressError

if TYPE_CHECKING:
    from compress.claims.completeness import Gap
    from compress.claims.gate import Change
    from compress.claims.ledger import Baseline, Ledger
    from compress.settings import Settings
    from compress.suite import Suite
    from compress.workbench import Cell, Workbench

COMPARE = pytest.StashKey[object]()
"""What ``--benchmark-compare`` was given: a run, True for the last green one, or None."""

DESELECTED = pytest.StashKey[list[str]]()
"""Names of the benches that were collected and left out."""

UNTIMED = "times are not measured under pytest-xdist, where tests compete for the machine: run without -n"


def ledger_of(config: pytest.Config) -> Ledger:
    """Return the ledger that pytest-benchmark's options name. Raises `ClaimError` when it is no folder."""
    from compress.claims.ledger import Ledger

    if not hasattr(config, "_benchmarksession"):
        raise ClaimError("claims need pytest-benchmark, which keeps the runs: do not switch it off")
    storage = config._benchmarksession.storage
    if not hasattr(storage, "path"):
        raise ClaimError("--benchmark-storage must be a folder: runs are read before anything is measured")
    return Ledger(Path(storage.path) / str(storage.default_machine_id))


class Run:
    """What ties a suite's state to a pytest session and to pytest-benchmark's.

    In a worker of pytest-xdist it measures and judges its share, times nothing, and hands all to the controller; there
    the shares are put together, changed files are timed one after the other, and the run is stored.
    """

    def __init__(self, session: pytest.Session) -> None:
        from compress.claims.paper import load_paper
        from compress.gatekeeper import Gatekeeper
        from compress.suite import Suite
        from compress.workbench import Workbench

        config = session.config
        self.session, self.config = session, config
        self.pending: list[Change] = []
        self.limits: Mapping[str, Any] = {}
        self.stored: Path | None = None
        self.trouble = ""
        self.looped = False
        self.gated = config.stash.get(COMPARE, None) is not None
        try:
            self.settings = settings_of(config)
            papers = [
                load_paper(path) for answer in config.hook.pytest_compress_papers(config=config) for path in answer
            ]
            self.ledger = ledger_of(config)
            self.benchmarks: Any = config._benchmarksession  # type: ignore[attr-defined]
            baseline = self._baseline()
            scale = config.getoption("scale")
            subjects = [
                one for answer in config.hook.pytest_compress_subjects(config=config, scale=scale) for one in answer
            ]
            self.workbench: Workbench = Workbench(
                subjects,
                scale=scale,
                untimed=UNTIMED if is_distributed(config) else "",
                announce=self.announce,
                on_measured=self.on_measured,
            )
        except CompressError as error:
            raise pytest.UsageError(str(error)) from error
        if baseline is None and config.getoption("require_baseline"):
            golden = f", and there is no golden file {self.settings.golden}" if self.settings.golden else ""
            raise pytest.UsageError(
                f"--require-baseline: {self.ledger.folder} holds no green run at this scale{golden}"
            )
        self.suite: Suite = Suite(
            scale,
            selection_of(config),
            baseline,
            gated=self.gated,
            papers=papers,
            allow=self.settings.allow,
            no_times=self.workbench.untimed,
        )
        off = self.benchmarks.skip or (self.benchmarks.disabled and not is_distributed(config))
        self.gatekeeper = Gatekeeper(
            self.suite,
            self.workbench,
            untimed="benchmarks are switched off (--benchmark-disable or --benchmark-skip)" if off else "",
            announce=self.announce,
        )
        if self.gated and baseline is not None and baseline.ledger is not None:
            self._load_times(baseline.newest.path)
        elif self.benchmarks.compare_fail:
            self.benchmarks.compare_fail = []  # a first run has nothing to be slower than
        # stored by `store`, whole or not at all, when pytest-benchmark would write in place
        self.label = self.benchmarks.save or self.benchmarks.autosave or _default_label()
        self.benchmarks.save = self.benchmarks.autosave = None

    def _baseline(self) -> Baseline | None:
        """Return the run that was named, else the last green ones, else, for a gate, the golden file's cells."""
        from compress.claims.golden import Golden

        wanted, golden = self.config.stash.get(COMPARE, None), self.settings.golden
        scale, selection = self.config.getoption("scale"), selection_of(self.config)
        if wanted == "golden":
            if golden is None:
                raise ClaimError('no golden file is named; add golden = "benches/golden.json" to [tool.compress]')
            return Golden.load(golden).baseline(scale)
        found = self.ledger.baseline(scale, selection, wanted if isinstance(wanted, str) else None)
        if found is None and self.gated and golden is not None and golden.exists():
            found = Golden.load(golden).baseline(scale)
        return found

    @property
    def ended(self) -> bool:
        """Whether the session came to its end: no Ctrl-C, no ``-x``, no error of pytest's own."""
        return self.looped and not self.session.shouldstop and not self.session.shouldfail

    @property
    def complete(self) -> bool:
        """Whether all that the selection holds was collected, and run to the end."""
        return self.ended and is_whole(self.session)

    @property
    def gaps(self) -> list[Gap]:
        """What the baseline covers and this run does not, or the other way round."""
        left_out: list[str] = self.config.stash.setdefault(DESELECTED, [])
        return self.suite.gaps(self.complete, left_out)

    @property
    def failed(self) -> int:
        """How many tests failed, with what ``--benchmark-compare-fail`` found."""
        return self.session.testsfailed + len(self.benchmarks.performance_regressions)

    def to_json(self) -> dict[str, Any]:
        """Return what is stored of the run beside pytest-benchmark's own entries."""
        failed = self.failed > 0 or not self.ended
        return self.suite.to_json(failed=failed, complete=self.complete, gaps=self.gaps)

    def _load_times(self, path: Path) -> None:
        from pytest_benchmark.logger import PytestBenchmarkWarning

        self.benchmarks.compare = str(path)
        with warnings.catch_warnings():
            # that the machine is another one is the report's to say; here it would end the run
            warnings.simplefilter("ignore", PytestBenchmarkWarning)
            self.benchmarks.handle_loading()

    def check_sources(self, sources: set[str]) -> None:
        """Raise `pytest.UsageError` for claims that name no entry of the paper they begin with."""
        from compress.suite import unknown_sources

        unknown = unknown_sources(self.suite.papers, sorted(sources))
        if unknown:
            raise pytest.UsageError(f"no such claim or table in the papers' files: {', '.join(unknown)}")

    def announce(self, text: str) -> None:
        """Say what is being built, through pytest's capture: building takes longest and would look like a hang."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        capture = self.config.pluginmanager.get_plugin("capturemanager")
        if reporter is None or capture is None or self.config.get_verbosity() < 0:
            return
        with capture.global_and_fixture_disabled():
            reporter.ensure_newline()
            reporter.write_line(f"  {text} ...")

    def on_measured(self, cell: Cell) -> None:
        """Gate a cell that is new in this run, and time it for its history."""
        self.suite.measured(cell)
        self.gate(cell)
        if cell.measurement.was_run and not self.benchmarks.skip and not self.workbench.untimed:
            self._time(cell)

    def gate(self, cell: Cell) -> None:
        """Compare a cell with its baseline by the limits of the bench that asks, and keep what fails for that bench."""
        policy = replace(self.settings.policy_of(cell.name), **self.limits)
        changes = self.gatekeeper.compare(cell, policy)
        if self.gated and not hasattr(self.config, "workerinput"):
            changes = changes + self.gatekeeper.time(cell, policy)
        if self.gated:
            self.pending += [change for change in changes if self.fails(change)]

    def fails(self, change: Change) -> bool:
        """Return whether a change fails the run, given its options."""
        strict = self.config.getoption("strict_undecided")
        return change.fails or (strict and change.direction == "undecided")

    def _time(self, cell: Cell) -> None:
        # the file has just survived a process of its own, so it may run in this one
        from pytest_benchmark.fixture import BenchmarkFixture

        from compress.runtime.decoding import sample_for
        from compress.runtime.session import open_session

        session = open_session(cell.artifact.path, cell.artifact.runtime, threads=1)
        call = session.bind(sample_for(session, self.workbench.data(cell.subject).evaluation_x[:1]))
        fixture = BenchmarkFixture(
            SimpleNamespace(name=cell.name, nodeid=cell.name),
            add_stats=self.benchmarks.benchmarks.append,
            logger=self.benchmarks.logger,
            warner=lambda *_: None,
            disabled=self.benchmarks.disabled,
            group=f"{self.workbench.prefix}{cell.subject.name}",
            **self.benchmarks.options,
        )
        fixture.params = {"subject": cell.subject.name, "recipe": str(cell.recipe)}
        fixture.param = str(cell.recipe)
        fixture.extra_info.update(cell.measurement.values, sha256=cell.artifact.sha256)
        call()
        fixture(call)

    def store(self) -> None:
        """Store the run under pytest-benchmark's name and format. Raises `LedgerError` when it cannot be."""
        hook, config = self.config.hook, self.config
        commit = hook.pytest_benchmark_generate_commit_info(config=config)
        hook.pytest_benchmark_update_commit_info(config=config, commit_info=commit)
        document = hook.pytest_benchmark_generate_json(
            config=config,
            benchmarks=self.benchmarks.benchmarks,
            include_data=self.benchmarks.save_data,
            machine_info=self.benchmarks.get_machine_info(),
            commit_info=commit,
        )
        hook.pytest_benchmark_update_json(config=config, benchmarks=self.benchmarks.benchmarks, output_json=document)
        for name, cell in self.suite.cells.items():
            # before the run that names them, so that no stored run ever names a file that is not there
            self.ledger.keep_file(cell.artifact.path, self.suite.stored[name]["sha256"], cell.artifact.runtime)
        self.stored = self.ledger.save(document, self.label)


def settings_of(config: pytest.Config) -> Settings:
    """Return the repository's settings, with the command line's before them. Raises `ClaimError` on a bad one."""
    from compress.settings import allowed_kinds, load_settings

    settings = load_settings(config.rootpath)
    given = {
        "allowed_slowdown_fraction": config.getoption("allowed_slowdown"),
        "time_budget_s": config.getoption("time_budget"),
        "long_call_time_budget_s": config.getoption("time_budget"),
        "confidence": config.getoption("confidence"),
    }
    changed = {name: value for name, value in given.items() if value is not None}
    kinds = [kind for text in config.getoption("allow") for kind in text.split(",")]
    return replace(
        settings,
        policy=replace(settings.policy, **changed),
        allow=settings.allow | allowed_kinds(kinds, "--allow"),
    )


def is_distributed(config: pytest.Config) -> bool:
    """Return whether tests run in several processes, this one being a worker of pytest-xdist or their controller."""
    return hasattr(config, "workerinput") or config.pluginmanager.has_plugin("dsession")


def _default_label() -> str:
    from pytest_benchmark.utils import get_tag

    return str(get_tag())


def selection_of(config: pytest.Config) -> str:
    """Return what a run was asked to collect, however it was spelled: paths from the root folder, sorted."""
    paths = (Path(os.path.normpath(Path(argument.split("::")[0]).absolute())) for argument in config.args)
    root = config.rootpath
    return " ".join(sorted({str(path.relative_to(root) if path.is_relative_to(root) else path) for path in paths}))


def is_whole(session: pytest.Session) -> bool:
    """Return whether the run is of all that its paths hold: not narrowed by ``-k``, ``--lf``, a test's name..."""
    option = session.config.option
    narrowing = ("keyword", "markexpr", "deselect", "lf", "stepwise", "ignore", "ignore_glob")
    narrowed = any(getattr(option, name, None) for name in narrowing)
    return not narrowed and not any("::" in argument for argument in session.config.args)
