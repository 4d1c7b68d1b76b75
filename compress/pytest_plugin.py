"""The pytest plugin: collects claims, hands out measured cells, judges, gates, stores; inert without any.

It stands on pytest-benchmark: every cell becomes one of its benchmarks, whose timed call is one inference, and runs are
kept in its storage. Its own comparison is not enough: it never looks at sizes or quality, saves before it compares, and
takes a red run for the next baseline.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compress import pytest_claims_toml
from compress.claims.claim import Verdict, limits_of
from compress.errors import ClaimError, CompressError
from compress.pytest_distributed import merge, share_of
from compress.pytest_each_subject import parametrize, subject
from compress.pytest_foresight import build_ahead
from compress.pytest_judging import SCALES, claims_on, fail_gaps, fail_without_bench, judge_bench, without_value
from compress.pytest_run import COMPARE, DESELECTED, Run, is_whole, ledger_of, selection_of

if TYPE_CHECKING:
    from compress.measure.figure import Figure
    from compress.subject import Subject
    from compress.suite import PrintedTable
    from compress.workbench import Cell

RUN = pytest.StashKey[Run]()
SHARES = pytest.StashKey[list[dict[str, Any]]]()
"""What each worker of pytest-xdist measured and judged."""

__all__ = ["subject"]  # pytest finds a plugin's fixtures by its names

FIXTURES = frozenset({"compressed", "paper_table", "report_figure", "report_table"})


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a run."""
    group = parser.getgroup("compress", "model compression")
    group.addoption("--scale", choices=SCALES, default=SCALES[0], help="size of subjects and data")
    group.addoption("--strict-undecided", action="store_true", help="fail on claims that the samples cannot decide")
    group.addoption("--require-baseline", action="store_true", help="fail when there is nothing to compare with")
    group.addoption(
        "--allow",
        action="append",
        default=[],
        metavar="KINDS",
        help="let a gated run pass though it has gaps: missing, renamed, new, deselected, untimed, empty",
    )
    group.addoption("--allowed-slowdown", type=_fraction, metavar="5%", help="how much longer a call may take")
    group.addoption("--confidence", type=_fraction, metavar="99%", help="how sure the gate has to be, one-sided")
    group.addoption("--time-budget", type=float, metavar="SECONDS", help="how long one pair of files may be timed")
    group.addoption("--report-markdown", type=Path, metavar="FILE", help="write the report for a pull request there")


def _fraction(text: str) -> float:
    value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    if not 0 < value < 1:
        raise ValueError(text)
    return value


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks by which a suite hands over its subjects and papers."""
    from compress import hookspec

    pluginmanager.add_hookspecs(hookspec)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Take ``--benchmark-compare`` over before pytest-benchmark reads it: which run to load depends on the claims."""
    config.addinivalue_line("markers", "scale(name, ...): measure this bench's claims at these scales only")
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


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a ``claims.toml``."""
    return pytest_claims_toml.collector(file_path, parent)


def pytest_compress_subjects(config: pytest.Config) -> list[Subject]:
    """Hand over the subjects of the ``claims.toml`` files that were collected."""
    return pytest_claims_toml.own_subjects(config)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Call a bench that takes the fixture `subject` for each subject of the suite."""
    parametrize(metafunc, sys.modules[__name__])


def _is_ours(item: pytest.Item) -> bool:
    return bool(claims_on(item)) or not FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Iterator[None]:
    """Keep benches in a run of ``--benchmark-only``: they are benchmarks, though they take no fixture of that name."""
    result = yield
    if config.getoption("benchmark_only", False):
        for item in items:
            if _is_ours(item):
                item.own_markers = [mark for mark in item.own_markers if "--benchmark-only" not in str(mark.kwargs)]
    return result


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember the benches that were left out: a gated run says nothing about them."""
    for item in items:
        if _is_ours(item):
            item.config.stash.setdefault(DESELECTED, []).append(item.nodeid)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Set a run up when anything of ours was collected, or was before; else pytest-benchmark has its option back."""
    config = session.config
    ours = [item for item in session.items if _is_ours(item)]
    if not config.option.collectonly and (ours or _had_benches(session)):
        config.stash[RUN] = run = Run(session)
        run.check_sources({source for item in ours for one in claims_on(item) for source in one.sources})
    elif config.stash.get(COMPARE, None) is not None:
        benchmarks = config._benchmarksession  # type: ignore[attr-defined]
        benchmarks.compare = config.stash[COMPARE]
        benchmarks.handle_loading()


def _had_benches(session: pytest.Session) -> bool:
    """Return whether a gated run without any bench stands where a whole run with some is the baseline."""
    config = session.config
    if config.stash.get(COMPARE, None) is None or not is_whole(session):
        return False
    selection = selection_of(config)
    try:
        baseline = ledger_of(config).baseline(config.getoption("scale"), selection)
    except CompressError:
        return False  # nothing of ours is asked for; pytest-benchmark says what it cannot read
    return baseline is not None and any(run.whole(selection) for run in baseline.runs)


@pytest.hookimpl(optionalhook=True)
def pytest_benchmark_update_json(config: pytest.Config, output_json: dict[str, Any]) -> None:
    """Put cells and verdicts into every JSON file of a run: the stored one and that of ``--benchmark-json``."""
    run = config.stash.get(RUN, None)
    if run is not None:
        output_json["compress"] = run.to_json()


@pytest.fixture
def compressed(request: pytest.FixtureRequest) -> Callable[[str, str], Cell]:
    """Return a function from a subject's name and a recipe's text to the measured cell; each is measured once a run."""
    run = request.config.stash[RUN]

    def find(subject: str, recipe: str) -> Cell:
        cell = run.workbench.compressed(subject, recipe)
        run.gate(cell)  # measured for another bench, it has yet to meet this one's limits
        return cell

    return find


@pytest.fixture
def report_table(request: pytest.FixtureRequest) -> Callable[[str, tuple[str, ...]], PrintedTable]:
    """Return a function from a title and column names to a table of the report, to which rows may be added."""
    return request.config.stash[RUN].suite.table


@pytest.fixture
def report_figure(request: pytest.FixtureRequest) -> Callable[..., Figure]:
    """Return a function from a title to a figure of the report, to which series are added: ``add(name, Line(x, y))``.

    ``x=`` and ``y=`` say what the axes are, ``note=`` how to read it. A series is a `Line`, a `Histogram` or a
    `Picture` of `compress.measure`; the stored run keeps them, and ``compress-bench report`` draws them.
    """
    return request.config.stash[RUN].suite.figure


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
    judge_bench(pyfuncitem, pyfuncitem.config.stash[RUN], claims_on(pyfuncitem))
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let what a test's fixtures measure count for that test, and nothing of the test before."""
    run = item.config.stash.get(RUN, None)
    if run is not None:
        run.pending = []
        function = getattr(item, "function", None)
        run.limits = limits_of(function) if function is not None and hasattr(function, "compress_limits") else {}


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
        run.suite.judgements += [without_value(one, verdict, item, reason) for one in claims_on(item)]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Before the first test build what is missing; after the last put shares together, and fail on what is open."""
    if RUN in session.config.stash:
        build_ahead(session.config.stash[RUN])
    result = yield
    config = session.config
    shares = config.stash.get(SHARES, [])
    if shares:
        config.stash[RUN] = Run(session)
    run = config.stash.get(RUN, None)
    if run is not None:
        run.looped = True
        if shares:
            for name, changes in merge(run, shares).items():
                fail_without_bench(session, name, [f"{change.direction}: {change}" for change in changes])
        if not hasattr(config, "workerinput"):
            fail_gaps(session, run)
    return result


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker of pytest-xdist measured."""
    share = getattr(node, "workeroutput", {}).get("compress")
    if share is not None:
        node.config.stash.setdefault(SHARES, []).append(json.loads(share))


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """Store the run after pytest-benchmark has finished with it, or hand a worker's share to the controller."""
    try:
        return (yield)
    finally:
        run = session.config.stash.get(RUN, None)
        if run is not None and hasattr(session.config, "workerinput"):
            run.workbench.close()
            output: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined]
            output["compress"] = json.dumps(share_of(run))
        elif run is not None:
            _finish(run, session)


def _finish(run: Run, session: pytest.Session) -> None:
    run.workbench.close()
    if run.suite.cells:
        try:
            run.store()
        except CompressError as error:
            run.trouble = str(error)
    else:
        run.trouble = "no cell was measured"
    unstored = bool(run.suite.cells) and run.stored is None
    if unstored and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    if run.ended and run.session.testsfailed and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
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
    text = render(run.suite, run.gaps, where, color=writer.hasmarkup, width=width)
    terminalreporter.ensure_newline()
    terminalreporter.write_line(text)
    for path in (run.config.getoption("report_markdown"), os.environ.get("GITHUB_STEP_SUMMARY")):
        if path:
            _write_markdown(run, Path(path), where, terminalreporter)


def _write_markdown(run: Run, path: Path, where: Path | str, terminalreporter: pytest.TerminalReporter) -> None:
    from compress.report.markdown import render

    text = render(run.suite, run.gaps, where, failed=run.failed, ended=run.ended)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # a job's summary may hold those of other steps; a report is this run's alone
        with path.open("a" if str(path) == os.environ.get("GITHUB_STEP_SUMMARY") else "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        terminalreporter.write_line(f"error: {path}: the Markdown report could not be written: {error}", red=True)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the building process, also after an interrupted run."""
    run = config.stash.get(RUN, None)
    if run is not None:
        run.workbench.close()
