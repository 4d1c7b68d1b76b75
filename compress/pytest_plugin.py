"""The pytest plugin: collects claims, hands out measured cells, judges, gates, stores; inert without any.

It stands on pytest-benchmark: every cell becomes one of its benchmarks, whose timed call is one inference, and runs are
kept in its storage. Its own comparison is not enough: it never looks at sizes or quality, saves before it compares, and
takes a red run for the next baseline.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from compress.claims.claim import Claim, Judgement, Unmeasured, Verdict, claims_of, judge
from compress.errors import ClaimError, CompressError, RuntimeCrash

if TYPE_CHECKING:
    from compress.claims.gate import Change
    from compress.claims.ledger import Ledger
    from compress.suite import PrintedTable, Suite
    from compress.workbench import Cell, Workbench

COMPARE = pytest.StashKey[object]()
RUN = pytest.StashKey["Run"]()
FIXTURES = frozenset({"compressed", "paper_table", "report_table"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run."""
    group = parser.getgroup("compress", "model compression")
    group.addoption("--scale", choices=("embedded", "paper"), default="embedded", help="size of subjects and data")
    group.addoption("--strict-undecided", action="store_true", help="fail on claims that the samples cannot decide")
    group.addoption("--allow-missing", action="store_true", help="pass though cells of the last whole run are gone")
    group.addoption("--require-baseline", action="store_true", help="fail when there is nothing to compare with")


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks by which a suite hands over its subjects and papers."""
    from compress import hookspec

    pluginmanager.add_hookspecs(hookspec)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take ``--benchmark-compare`` over before pytest-benchmark reads it: which run to load depends on the claims."""
    wanted = config.getoption("benchmark_compare", None) or None
    if isinstance(wanted, str) and (Path(wanted).is_dir() or "::" in wanted or wanted.endswith(".py")):
        raise pytest.UsageError(
            f"--benchmark-compare took {wanted!r} for the run to compare with. "
            f"Put the path first: `pytest {wanted} --benchmark-compare`"
        )
    if config.getoption("benchmark_compare_fail", None) and wanted is None:
        raise pytest.UsageError("--benchmark-compare-fail judges nothing without --benchmark-compare; add it")
    config.stash[COMPARE] = wanted
    if wanted is not None:
        config.option.benchmark_compare = None


def _claims(item: pytest.Item) -> list[Claim]:
    function = getattr(item, "function", None)
    return claims_of(function) if function is not None and hasattr(function, "compress_claims") else []


def _is_ours(item: pytest.Item) -> bool:
    return bool(_claims(item)) or not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Keep benches in a run of ``--benchmark-only``: they are benchmarks, though they take no fixture of that name."""
    result = yield
    if config.getoption("benchmark_only", False):
        for item in items:
            if _is_ours(item):
                item.own_markers = [mark for mark in item.own_markers if "--benchmark-only" not in str(mark.kwargs)]
    return result


def pytest_collection_finish(session: pytest.Session) -> None:
    """Set a run up when anything of ours was collected, or was before; else pytest-benchmark has its option back."""
    config = session.config
    ours = [item for item in session.items if _is_ours(item)]
    if not config.option.collectonly and (ours or _had_benches(session)):
        config.stash[RUN] = run = Run(session)
        run.check_sources({source for item in ours for one in _claims(item) for source in one.sources})
    elif config.stash.get(COMPARE, None) is not None:
        benchmarks = config._benchmarksession  # type: ignore[attr-defined]
        benchmarks.compare = config.stash[COMPARE]
        benchmarks.handle_loading()


def _had_benches(session: pytest.Session) -> bool:
    """Return whether a gated run without any bench stands where a whole run with some is the baseline."""
    config = session.config
    if config.stash.get(COMPARE, None) is None or not _is_whole(session):
        return False
    selection = _selection(config)
    try:
        baseline = _ledger(config).baseline(config.getoption("scale"), selection)
    except CompressError:
        return False  # nothing of ours is asked for; pytest-benchmark says what it cannot read
    return baseline is not None and any(run.whole(selection) for run in baseline.runs)


def _ledger(config: pytest.Config) -> Ledger:
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
        scale, selection = config.getoption("scale"), _selection(config)
        try:
            papers = [
                load_paper(path) for answer in config.hook.pytest_compress_papers(config=config) for path in answer
            ]
            self.ledger = _ledger(config)
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
        return self.ended and _is_whole(self.session)

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


def _selection(config: pytest.Config) -> str:
    """Return what a run was asked to collect, however it was spelled: paths from the root folder, sorted."""
    paths = (Path(os.path.normpath(Path(argument.split("::")[0]).absolute())) for argument in config.args)
    root = config.rootpath
    return " ".join(sorted({str(path.relative_to(root) if path.is_relative_to(root) else path) for path in paths}))


def _is_whole(session: pytest.Session) -> bool:
    option = session.config.option
    narrowing = ("keyword", "markexpr", "deselect", "lf", "stepwise", "ignore", "ignore_glob")
    narrowed = any(getattr(option, name, None) for name in narrowing)
    return not narrowed and not any("::" in argument for argument in session.config.args)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Put cells and verdicts into every JSON file of a run: the stored one and that of ``--benchmark-json``."""
    run = config.stash.get(RUN, None)
    if run is not None:
        output_json["compress"] = run.to_json()


@pytest.fixture
def compressed(request: pytest.FixtureRequest) -> Callable[[str, str], Cell]:
    """Return a function from a subject's name and a recipe's text to the measured cell; each is measured once a run."""
    return request.config.stash[RUN].workbench.compressed


@pytest.fixture
def report_table(request: pytest.FixtureRequest) -> Callable[[str, tuple[str, ...]], PrintedTable]:
    """Return a function from a title and column names to a table of the report, to which rows may be added."""
    return request.config.stash[RUN].suite.table


@pytest.fixture
def paper_table(request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Return a function from a table's id, such as ``ishtiaq2021/table-I``, to the table as printed."""

    def find(name: str) -> Any:
        for paper in request.config.stash[RUN].suite.papers:
            if name in paper.tables:
                return paper.table(name)
        raise ClaimError(f"no paper has a table {name!r}")

    return find


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Call a bench, judge what it returns, and fail it on a broken claim or on a regression it came upon."""
    if not _is_ours(pyfuncitem):
        return None
    run = pyfuncitem.config.stash[RUN]
    if hasattr(pyfuncitem.config, "workerinput"):
        pytest.fail(
            "benches are not measured under xdist, where each process would see a part: run without -n", pytrace=False
        )
    claims = _claims(pyfuncitem)
    parameters = {"scale": run.suite.scale, **(pyfuncitem.callspec.params if hasattr(pyfuncitem, "callspec") else {})}
    names = pyfuncitem._fixtureinfo.argnames
    problems: list[str] = []
    skipped = ""
    try:
        measured = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
        if not claims and measured is not None:
            raise ClaimError(f"{pyfuncitem.name} returns a {type(measured).__name__} and has no @claim to judge it by")
        judgements = [judge(one, parameters, measured, pyfuncitem.name) for one in claims]
    except (Unmeasured, pytest.skip.Exception) as reason:
        skipped = str(reason) or "no reason given"
        judgements = [_without_value(one, Verdict.UNMEASURED, pyfuncitem, skipped) for one in claims]
    except CompressError as error:
        judgements = [_without_value(one, Verdict.BROKEN, pyfuncitem, str(error)) for one in claims]
        prefix = "broken by a crash: " if isinstance(error, RuntimeCrash) else ""
        problems.append(f"{prefix}{error}")
    except (Exception, pytest.fail.Exception) as error:
        run.suite.judgements += [_without_value(one, Verdict.BROKEN, pyfuncitem, str(error)) for one in claims]
        if worse := _explain_changes(run):
            error.add_note(worse)
        raise
    run.suite.judgements += judgements
    strict = pyfuncitem.config.getoption("strict_undecided")
    problems += [_explain(one) for one in judgements if one.measured and _fails(one, strict)]
    if worse := _explain_changes(run):
        problems.append(worse)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
    if skipped:
        pytest.skip(f"unmeasured: {skipped}")
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let what a test's fixtures measure count for that test, and nothing of the test before."""
    run = item.config.stash.get(RUN, None)
    if run is not None:
        run.pending = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record a verdict of claims whose bench never began: unmeasured when skipped, broken when a fixture failed."""
    report = yield
    run = item.config.stash.get(RUN, None)
    if run is not None and call.when == "setup" and call.excinfo is not None:
        verdict = Verdict.UNMEASURED if report.skipped else Verdict.BROKEN
        reason = str(call.excinfo.value) or "no reason given"
        run.suite.judgements += [_without_value(one, verdict, item, reason) for one in _claims(item)]
    return report


def _explain_changes(run: Run) -> str:
    if not run.pending or run.suite.baseline is None:
        return ""
    against = run.suite.baseline.newest.describe()
    return "\n".join([f"got worse since {against}:", *(f"  {change}" for change in run.pending)])


def _without_value(one: Claim, verdict: Verdict, item: pytest.Item, reason: str) -> Judgement:
    return Judgement(one.sources, one.kind, verdict, item.name, reason=reason)


def _fails(one: Judgement, strict: bool) -> bool:
    return one.verdict is Verdict.BROKEN or (strict and one.verdict is Verdict.UNDECIDED)


def _explain(one: Judgement) -> str:
    asserted = "what is asserted instead of the paper's claim" if one.kind == "refuted" else "claimed"
    note = f"\n  note:     {one.reason}" if one.reason else ""
    return (
        f"{one.verdict}: {', '.join(one.sources)}\n  measured: {one.measured}\n"
        f"  {asserted}: {one.bound}\n  because:  {one.why}{note}"
    )


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Store the run after pytest-benchmark has finished with it, and fail the session on cells that went missing."""
    try:
        return (yield)
    finally:
        run = session.config.stash.get(RUN, None)
        if run is not None:
            _finish(run, session)


def _finish(run: Run, session: pytest.Session) -> None:
    run.workbench.close()
    allowed = session.config.getoption("allow_missing")
    nothing = run.complete and run.suite.nothing_measured and not allowed
    gone = run.suite.gated and (bool(run.missing) or nothing)
    if run.suite.cells:
        try:
            run.store()
        except CompressError as error:
            run.trouble = str(error)
    else:
        run.trouble = "no cell was measured"
    unstored = bool(run.suite.cells) and run.stored is None
    if (gone or unstored) and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> Iterator[None]:
    """End the run with the verdicts, what changed, and where it was stored, whatever pytest-benchmark's part raises."""
    try:
        return (yield)
    finally:
        run = config.stash.get(RUN, None)
        if run is not None:
            _report(run, terminalreporter)


def _report(run: Run, terminalreporter: pytest.TerminalReporter) -> None:
    from compress.report.terminal import render

    writer = terminalreporter._tw
    where = run.stored if run.stored is not None else run.trouble
    width = writer.fullwidth if writer.hasmarkup else 140  # a log has no edge
    text = render(run.suite, run.complete, where, color=writer.hasmarkup, width=width)
    terminalreporter.ensure_newline()
    terminalreporter.write_line(text)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the building process, also after an interrupted run."""
    run = config.stash.get(RUN, None)
    if run is not None:
        run.workbench.close()
