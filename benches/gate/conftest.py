"""Wiring: the gate's own subjects, and the recordings that its claims are judged by, made once a run."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from benches.gate.plan import FULL, PAIRS, QUICK
from benches.gate.record import record
from benches.gate.recording import Recording, State
from benches.gate.tables import tables
from compress.claims.claim import unmeasured
from compress.pytest_plugin import RUN
from compress.subject import Subject

KEPT = "what was recorded: `python -m benches.gate.reanalyse FILE` prints these tables again"

OTHERS_CORES = {"idle": 0.75, "loaded": 0.5, "crowded": 0.5}
"""On how many cores others may compute meanwhile for a machine to be in that state; 0.2 to 0.65 where figures are from.

Beside the bench's own load they get less of a machine of two cores, however many they want.
"""


def pytest_compress_subjects() -> list[Subject]:
    """Hand the gate's subjects to the plugin."""
    from benches.gate.subjects import subjects

    return subjects()


@pytest.fixture(scope="session")
def recordings() -> dict[State, Recording | Exception]:
    """Keep the recordings of a run: minutes each."""
    return {}


@pytest.fixture
def recorded(request, recordings, compressed, report_table) -> Callable[[State], Recording]:
    """Return a function from a state of the machine to what was recorded in it; the first to ask has it made.

    It ends the bench as unmeasured where times cannot be had, or others kept the machine busy meanwhile.
    """
    run = request.config.stash[RUN]

    def make(state: State) -> Recording:
        scale, folder = run.suite.scale, run.workbench.folder / "gate"
        full = scale == "paper"
        # few trials leave much to chance; where many claims rest on them, none may break by it
        recording = Recording(state, scale, 0.95 if full else 0.999, run.suite.fingerprint)
        cells = {pair: compressed(pair.subject, pair.recipe) for pair in PAIRS}
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{state}-{scale}.json.gz"
        record(recording, (FULL if full else QUICK)[state], cells, run.workbench, path, run.announce)
        for table in tables(recording):
            report_table(table.title, table.columns).rows.extend(table.rows)
        kept = report_table(KEPT, ("state", "trials", "runs", "file"))
        kept.rows.append((state, str(len(recording.trials)), str(len(recording.solos)), str(path)))
        return recording

    def find(state: State) -> Recording:
        if run.workbench.untimed:
            unmeasured(run.workbench.untimed)
        if state not in recordings:
            try:
                recordings[state] = make(state)
            except Exception as error:  # asked again, the same at once, as a crash is not worth more minutes
                recordings[state] = error
        found = recordings[state]
        if not isinstance(found, Recording):
            raise found
        if found.others_cores > OTHERS_CORES[state]:
            unmeasured(f"others computed on {found.others_cores:.2f} cores meanwhile: run it on a machine of its own")
        return found

    return find
