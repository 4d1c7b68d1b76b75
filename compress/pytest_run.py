"""One run under pytest: a suite's state tied to the session and to pytest-benchmark's timer, files and options."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from compress.errors import ClaimError, CompressError

if TYPE_CHECKING:
    from compress.claims.gate import Change
    from compress.claims.ledger import Ledger
    from compress.suite import Suite
    from compress.workbench import Cell, Workbench

COMPARE = pytest.StashKey[object]()
"""What ``--benchmark-compare`` was given: a run, True for the last green one, or None."""


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
    """What ties a suite's state to a pytest session and to pytest-benchmark's."""

    def __init__(self, session: pytest.Session) -> None:
        from compress.claims.paper import load_paper
        from compress.suite import Suite
        from compress.workbench import Workbench

        config = session.config
        self.session, self.config = session, config
        self.pending: list[Change] = []
        self.stored: Path | None = None
        self.trouble = ""
        wanted = config.stash.get(COMPARE, None)
        scale, selection = config.getoption("scale"), selection_of(config)
        try:
            papers = [
                load_paper(path) for answer in config.hook.pytest_compress_papers(config=config) for path in answer
            ]
            self.ledger = ledger_of(config)
            baseline = self.ledger.baseline(scale, selection, wanted if isinstance(wanted, str) else None)
            subjects = [
                one for answer in config.hook.pytest_compress_subjects(config=config, scale=scale) for one in answer
            ]
            self.workbench: Workbench = Workbench(
                subjects, scale=scale, announce=self.announce, on_measured=self.on_measured
            )
        except CompressError as error:
            raise pytest.UsageError(str(error)) from error
        if baseline is None and config.getoption("require_baseline"):
            raise pytest.UsageError(f"--require-baseline: {self.ledger.folder} holds no green run at this scale")
        self.suite: Suite = Suite(scale, selection, baseline, gated=wanted is not None, papers=papers)
        self.benchmarks: Any = config._benchmarksession  # type: ignore[attr-defined]
        if wanted is not None and baseline is not None:
            self._load_times(baseline.newest.path)
        elif self.benchmarks.compare_fail:
            self.benchmarks.compare_fail = []  # a first run has nothing to be slower than
        # stored by `store`, whole or not at all, when pytest-benchmark would write in place
        self.label = self.benchmarks.save or self.benchmarks.autosave or _default_label()
        self.benchmarks.save = self.benchmarks.autosave = None

    @property
    def ended(self) -> bool:
        """Whether the session came to its end: no Ctrl-C, no ``-x``, no error of pytest's own."""
        code, ends = self.session.exitstatus, (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        stopped = bool(self.session.shouldstop or self.session.shouldfail)
        return code in (*ends, pytest.ExitCode.NO_TESTS_COLLECTED) and not stopped

    @property
    def complete(self) -> bool:
        """Whether all that the selection holds was collected, and run to the end."""
        return self.ended and is_whole(self.session)

    @property
    def missing(self) -> list[str]:
        """Cells that the last whole run had, and this one, if whole, has not."""
        return [] if self.config.getoption("allow_missing") else self.suite.missing(self.complete)

    def to_json(self) -> dict[str, Any]:
        """Return what is stored of the run beside pytest-benchmark's own entries."""
        slower = bool(self.benchmarks.performance_regressions)
        failed = self.session.testsfailed > 0 or not self.ended or bool(self.missing) or slower
        return self.suite.to_json(failed=failed, complete=self.complete)

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
        """Time a new cell, compare it with its baseline, and keep what fails for the test that asked for it."""
        changes = self.suite.measured(cell)
        if self.suite.gated:
            self.pending += [change for change in changes if change.fails]
        if cell.measurement.outcomes is not None and not self.benchmarks.skip:
            self._time(cell)

    def _time(self, cell: Cell) -> None:
        # the file has just survived a process of its own, so it may run in this one
        from pytest_benchmark.fixture import BenchmarkFixture

        from compress.runtime.session import open_session

        session = open_session(cell.artifact.path, cell.artifact.runtime, threads=1)
        call = session.bind(self.workbench.data(cell.subject).evaluation_x[:1])
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
        self.stored = self.ledger.save(document, self.label)


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
