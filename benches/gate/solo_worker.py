"""One file alone in a fresh process, timed as pytest-benchmark and asv do: what a run of today's tools sees.

Started as ``python -m benches.gate.solo_worker JOB RESULT``; both are JSON files.
"""

from __future__ import annotations

import json
import math
import sys
import time
from pathlib import Path

import numpy as np

from compress.runtime.session import open_session

WARM_CALLS = 5
SAMPLES, SAMPLE_S = 10, 0.01
"""asv's samples of one process: how many, and how long a run of calls each is the mean of."""


def main(job: dict[str, str | float]) -> dict[str, object]:
    """Return mean, median and minimum of single calls over ``seconds``, and asv's samples: seconds a call."""
    call = open_session(Path(str(job["path"])), str(job["runtime"]), threads=1).bind(np.load(str(job["sample"])))
    for _ in range(WARM_CALLS):
        call()
    found = []
    deadline = time.perf_counter() + float(job["seconds"])
    while time.perf_counter() < deadline:
        started = time.perf_counter_ns()
        call()
        found.append(time.perf_counter_ns() - started)
    times = 1e-9 * np.array(found)
    number = math.ceil(SAMPLE_S / float(np.median(times)))
    samples = []
    for _ in range(SAMPLES):
        started = time.perf_counter_ns()
        for _ in range(number):
            call()
        samples.append(1e-9 * (time.perf_counter_ns() - started) / number)
    return {
        "mean_s": float(times.mean()),
        "median_s": float(np.median(times)),
        "min_s": float(times.min()),
        "samples_s": samples,
    }


if __name__ == "__main__":
    result = main(json.loads(Path(sys.argv[1]).read_text()))
    Path(sys.argv[2]).write_text(json.dumps(result))
