"""The pytest plugin: collects claims, hands out measured cells, judges, gates, stores; inert without any.

It stands on pytest-benchmark: every cell becomes one of its benchmarks, whose timed call is one inference, and runs are
kept in its storage. Its own comparison is not enough: it never looks at sizes or quality, saves before it compares, and
takes a red run for the next baseline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    config.stash[COMPARE] = wanted
    if wanted is not None:
        config.option.benchmark_compare = None


def _claims(item: pytest.Item) -> list[Claim]:
    function = getattr(item, "function", None)
    return claims_of(function) if function is not None and hasattr(function, "compress_claims") else []


def _is_ours(item: pytest.Item) -> bool:
    return bool(_claims(item)) or "compressed" in getattr(item, "fixturenames", ())


def pytest_collection_finish(session: pytest.Session) -> None:
    """Set a run up when anything of ours was collected; hand pytest-benchmark its option back when not."""
    config = session.config
    ours = [item for item in session.items if _is_ours(item)]
    if ours and not config.option.collectonly:
        config.stash[RUN] = run = Run(session)
        run.check_sources({source for item in ours for one in _claims(item) for source in one.sources})
    elif config.stash.get(COMPARE, None) is not None:
        benchmarks = config._benchmarksession  # type: ignore[attr-defined]
        benchmarks.compare = config.stash[COMPARE]
        benchmarks.handle_loading()


class Run:
    """What ties a suite's state to a pytest session and to pytest-benchmark's."""

    def __init__(self, session: pytest.Session) -> None:
        from compress.claims.paper import load_paper
        from compress.suite import Suite
        from compress.workbench import Workbench

        config = session.config
        self.config = config
        self.benchmarks: Any = config._benchmarksession  # type: ignore[attr-defined]
        self.node: pytest.Item | None = None
        self.pending: list[Change] = []
        self.stored: Path | None = None
        self.complete = _is_whole(session)
        wanted = config.stash.get(COMPARE, None)
        scale = config.getoption("scale")
        selection = " ".join(sorted(_relative(argument, config.rootpath) for argument in config.args))
        try:
            papers = [
                load_paper(path) for answer in config.hook.pytest_compress_papers(config=config) for path in answer
            ]
            self.ledger = self._ledger()
            baseline = self.ledger.baseline(scale, selection, wanted if isinstance(wanted, str) else None)
        except CompressError as error:
            raise pytest.UsageError(str(error)) from error
        if baseline is None and config.getoption("require_baseline"):
            raise pytest.UsageError(f"--require-baseline: {self.ledger.folder} holds no green run at this scale")
        self.suite: Suite = Suite(scale, selection, baseline, gated=wanted is not None, papers=papers)
        subjects = [
            one for answer in config.hook.pytest_compress_subjects(config=config, scale=scale) for one in answer
        ]
        self.workbench: Workbench = Workbench(
            subjects, scale=scale, announce=self.announce, on_measured=self.on_measured
        )
        if wanted is not None and baseline is not None:
            self.benchmarks.compare = str(baseline.newest.path)
            self.benchmarks.handle_loading()
        elif self.benchmarks.compare_fail:
            self.benchmarks.compare_fail = []  # a first run has nothing to be slower than
        # stored by `store`, whole or not at all, when pytest-benchmark would write in place
        self.label = self.benchmarks.save or self.benchmarks.autosave or _default_label()
        self.benchmarks.save = self.benchmarks.autosave = None

    def _ledger(self) -> Ledger:
        from compress.claims.ledger import Ledger

        storage = self.benchmarks.storage
        if not hasattr(storage, "path"):
            raise ClaimError("--benchmark-storage must be a folder: runs are read before anything is measured")
        return Ledger(Path(storage.path) / str(storage.default_machine_id))

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

    def store(self, failed: bool) -> None:
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
        document["compress"] = self.suite.to_json(failed=failed, complete=self.complete)
        self.stored = self.ledger.save(document, self.label)


def _default_label() -> str:
    from pytest_benchmark.utils import get_tag

    return str(get_tag())


def _relative(argument: str, root: Path) -> str:
    path = Path(argument.split("::")[0]).absolute()
    return str(path.relative_to(root)) if path.is_relative_to(root) else argument


def _is_whole(session: pytest.Session) -> bool:
    option = session.config.option
    narrowed = option.keyword or option.markexpr or option.deselect or getattr(option, "lf", False)
    return not narrowed and not any("::" in argument for argument in session.config.args)


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
    if run.benchmarks.xdist_warning:
        pytest.fail("benches are not measured under xdist, which turns benchmarks off: run without -n", pytrace=False)
    run.pending = []
    claims = _claims(pyfuncitem)
    parameters = {"scale": run.suite.scale, **(pyfuncitem.callspec.params if hasattr(pyfuncitem, "callspec") else {})}
    names = pyfuncitem._fixtureinfo.argnames
    problems: list[str] = []
    skipped = ""
    try:
        measured = pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names})
        if not claims and measured is not None:
            raise ClaimError(f"{pyfuncitem.nodeid} returns {measured!r} and has no @claim to judge it by")
        judgements = [judge(one, parameters, measured, pyfuncitem.name) for one in claims]
    except Unmeasured as reason:
        skipped = str(reason)
        judgements = [_without_value(one, Verdict.UNMEASURED, pyfuncitem, skipped) for one in claims]
    except (CompressError, AssertionError) as error:
        judgements = [_without_value(one, Verdict.BROKEN, pyfuncitem, str(error)) for one in claims]
        if isinstance(error, AssertionError):
            run.suite.judgements += judgements
            raise
        prefix = "broken by a crash: " if isinstance(error, RuntimeCrash) else ""
        problems.append(f"{prefix}{error}")
    run.suite.judgements += judgements
    strict = pyfuncitem.config.getoption("strict_undecided")
    problems += [_explain(one) for one in judgements if one.measured and _fails(one, strict)]
    if run.pending and run.suite.baseline is not None:
        against = run.suite.baseline.newest.describe()
        problems.append("\n".join([f"got worse since {against}:", *(f"  {change}" for change in run.pending)]))
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
    if skipped:
        pytest.skip(f"unmeasured: {skipped}")
    return True


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
            run.complete = run.complete and not session.shouldstop and not session.shouldfail
            _finish(run, session)


def _finish(run: Run, session: pytest.Session) -> None:
    run.workbench.close()
    missing = run.suite.missing(run.complete)
    gone = bool(missing) and run.suite.gated and not session.config.getoption("allow_missing")
    if run.suite.cells:
        failed = session.testsfailed > 0 or bool(missing and not session.config.getoption("allow_missing"))
        try:
            run.store(failed or bool(session.shouldstop))
        except CompressError as error:
            session.config.stash[RUN].suite.table("not stored", ("error",)).rows.append((str(error),))
            gone = True
    if gone and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """End the run with the verdicts, what changed, and where the run was stored."""
    run = config.stash.get(RUN, None)
    if run is None:
        return
    from compress.report.terminal import render

    color = terminalreporter.isatty if hasattr(terminalreporter, "isatty") else False
    text = render(run.suite, run.complete, run.stored, color=bool(color), width=terminalreporter._tw.fullwidth)
    terminalreporter.ensure_newline()
    terminalreporter.write_line(text)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the building process, also after an interrupted run."""
    run = config.stash.get(RUN, None)
    if run is not None:
        run.workbench.close()
