"""Wiring: the gate's own subjects, and the recordings that its claims are judged by, made once a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benches.gate.plan import FULL, PAIRS, QUICK
from benches.gate.record import record
from benches.gate.recording import Recording, State
from benches.gate.tables import tables
from compress.claims.claim import unmeasured
from compress.pytest_plugin import RUN
from compress.subject import Subject

BUSY_CORES = 1.0
"""A machine on which others compute on more than this is not idle."""


def pytest_compress_subjects() -> list[Subject]:
    """Hand the gate's subjects to the plugin."""
    from benches.gate.subjects import subjects

    return subjects()


@pytest.fixture(scope="session")
def recordings() -> dict[State, Recording | BaseException]:
    """Keep the recordings of a run: minutes each."""
    return {}


@pytest.fixture
def recorded(request, recordings, compressed, report_table) -> Callable[[State], Recording]:
    """Return a function from a state of the machine to what was recorded in it; the first to ask has it made.

    It ends the bench as unmeasured where times cannot be had, or the machine is not as idle as it should be.
    """
    run = request.config.stash[RUN]

    def make(state: State) -> Recording:
        scale = run.suite.scale
        cells = {pair: compressed(pair.subject, pair.recipe) for pair in PAIRS}
        recording = record(state, scale, FULL if scale == "paper" else QUICK, run.workbench, cells, run.announce)
        for table in tables(recording):
            report_table(table.title, table.columns).rows.extend(table.rows)
        return recording

    def find(state: State) -> Recording:
        if run.workbench.untimed:
            unmeasured(run.workbench.untimed)
        if state not in recordings:
            try:
                recordings[state] = make(state)
            except BaseException as error:  # asked again, the same at once, as a crash is not worth more minutes
                recordings[state] = error
        found = recordings[state]
        if not isinstance(found, Recording):
            raise found
        if state == "idle" and found.others_cores > BUSY_CORES:
            unmeasured(f"others computed on {found.others_cores:.1f} cores meanwhile: run it on a machine of its own")
        return found

    return find
