"""Benches under pytest: each is called, what it returns is judged, and what is broken, worse or left open fails.

A gap that no bench stands for fails as a test of its own, so that JUnit and the exit code agree with the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from compress.claims.claim import Claim, Judgement, Unmeasured, Verdict, claims_of, judge, unmeasured
from compress.errors import ClaimError, CompressError, RuntimeCrash

if TYPE_CHECKING:
    from compress.pytest_run import Run

SCALES = ("embedded", "paper")


def claims_on(item: pytest.Item) -> list[Claim]:
    """Return the claims of a test; empty when it is no bench."""
    function = getattr(item, "function", None)
    return claims_of(function) if function is not None and hasattr(function, "compress_claims") else []


def without_value(one: Claim, verdict: Verdict, item: pytest.Item, reason: str) -> Judgement:
    """Return the judgement on a claim whose bench gave no value, with the reason."""
    return Judgement(one.sources, one.kind, verdict, item.name, reason=reason)


def judge_bench(item: pytest.Function, run: Run, claims: list[Claim]) -> None:
    """Call a bench, judge what it returns, and fail or skip it accordingly; verdicts go to the run's suite."""
    parameters = {"scale": run.suite.scale, **(item.callspec.params if hasattr(item, "callspec") else {})}
    problems: list[str] = []
    skipped = ""
    try:
        _check_scale(item, run.suite.scale)
        measured = item.obj(**{name: item.funcargs[name] for name in item._fixtureinfo.argnames})
        if not claims and measured is not None:
            raise ClaimError(f"{item.name} returns a {type(measured).__name__} and has no @claim to judge it by")
        judgements = [judge(one, parameters, measured, item.name) for one in claims]
    except (Unmeasured, pytest.skip.Exception) as reason:
        skipped = str(reason) or "no reason given"
        judgements = [without_value(one, Verdict.UNMEASURED, item, skipped) for one in claims]
    except CompressError as error:
        judgements = [without_value(one, Verdict.BROKEN, item, str(error)) for one in claims]
        prefix = "broken by a crash: " if isinstance(error, RuntimeCrash) else ""
        problems.append(f"{prefix}{error}")
    except (Exception, pytest.fail.Exception) as error:
        run.suite.judgements += [without_value(one, Verdict.BROKEN, item, str(error)) for one in claims]
        if worse := _explain_changes(run):
            error.add_note(worse)
        raise
    run.suite.judgements += judgements
    strict = item.config.getoption("strict_undecided")
    problems += [_explain(one) for one in judgements if one.measured and _fails(one, strict)]
    if worse := _explain_changes(run):
        problems.append(worse)
    if problems:
        pytest.fail("\n".join(problems), pytrace=False)
    if skipped:
        pytest.skip(f"unmeasured: {skipped}")


def _check_scale(item: pytest.Function, scale: str) -> None:
    """Raise `Unmeasured` when a bench is marked for another scale, `ClaimError` for one that there is not."""
    marker = item.get_closest_marker("scale")
    if marker is not None and (unknown := set(marker.args) - set(SCALES)):
        raise ClaimError(f"{item.name} is marked for scale {', '.join(sorted(unknown))}; there are {', '.join(SCALES)}")
    if marker is not None and scale not in marker.args:
        unmeasured(f"needs --scale {' or '.join(marker.args)}")


def _explain_changes(run: Run) -> str:
    if not run.pending or run.suite.baseline is None:
        return ""
    against = run.suite.baseline.newest.describe()
    return "\n".join([f"not as in {against}:", *(f"  {one.direction}: {one}" for one in run.pending)])


def _fails(one: Judgement, strict: bool) -> bool:
    return one.verdict is Verdict.BROKEN or (strict and one.verdict is Verdict.UNDECIDED)


def _explain(one: Judgement) -> str:
    asserted = "what is asserted instead of the paper's claim" if one.kind == "refuted" else "claimed"
    note = f"\n  note:     {one.reason}" if one.reason else ""
    return (
        f"{one.verdict}: {', '.join(one.sources)}\n  measured: {one.measured}\n"
        f"  {asserted}: {one.bound}\n  because:  {one.why}{note}"
    )


def fail_gaps(session: pytest.Session, run: Run) -> None:
    """Fail a gated run on each kind of gap that is not allowed."""
    kinds: dict[str, list[str]] = {}
    for gap in run.gaps:
        if run.gated and not gap.allowed:
            kinds.setdefault(gap.kind, []).append(gap.text)
    for kind, texts in kinds.items():
        fail_without_bench(session, kind, [*texts, f"(--allow {kind} to pass)"])


def fail_without_bench(session: pytest.Session, name: str, texts: list[str]) -> None:
    """Report a failed test called ``gate::name`` that no bench stands for."""
    report = pytest.TestReport(f"gate::{name}", ("gate", None, name), {}, "failed", "\n".join(texts), "call")
    last_failed = session.config.pluginmanager.get_plugin("lfplugin")
    before = dict(last_failed.lastfailed) if last_failed is not None else {}
    session.config.hook.pytest_runtest_logreport(report=report)
    if last_failed is not None:
        last_failed.lastfailed = before  # `--lf` could never run it
