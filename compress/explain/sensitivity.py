"""Which layers to keep in float: each is quantized alone, the worst are kept, and the very files are measured.

Single-layer sensitivity after Wu et al. 2020, "Integer Quantization for Deep Learning Inference" (arXiv:2004.09602),
section 6.1 ("partial quantization"): rank by the loss of one layer alone, then leave the worst out, one by one.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compress.errors import CompressError
from compress.explain.explanation import finite, runtime_of
from compress.explain.layer_errors import layer_errors, sqnr_db
from compress.explain.layers import telling
from compress.explain.samples import Samples, noise, read_samples
from compress.explain.sweep_process import SweepProcess, Written
from compress.measure.classification import SQNR_CEILING_DB
from compress.own.data import DataOptions
from compress.runtime.graph import Graph
from compress.runtime.isolation import DEADLINE_S
from compress.runtime.session import read_content, read_graph, read_parts

WORTH_DB = 3.0
"""A gain that is worth layers in float: half of the noise is gone."""

MOST = 0.8
"""Share of the gain in dB that the advised layers bring: each further layer brings a little."""

LAYERS, KEEP, SAMPLES = 40, 5, 64


@dataclass(frozen=True)
class Alone:
    """A layer quantized alone: the SQNR of the result then, in dB, and correct answers where there are labels."""

    layer: str
    op: str
    sqnr_db: float | None
    correct: int | None


@dataclass(frozen=True)
class Kept:
    """A file that was built and measured, with these layers in float and all else quantized."""

    layers: tuple[str, ...]
    bytes: int
    sqnr_db: float | None
    correct: int | None


@dataclass(frozen=True)
class Sensitivity:
    """A sweep: `alone` is ranked, the most sensitive first; ``files`` keep none, one, two... of them in float.

    ``advised`` is how many layers to keep, 0 where keeping any gains less than `WORTH_DB`. ``unswept`` are layers that
    were left out, as they lose least in the quantized file. ``measured`` is the tensor that all ratios are of.
    """

    file: str
    precision: str
    samples: str
    count: int
    float_bytes: int
    float_correct: int | None
    alone: tuple[Alone, ...]
    files: tuple[Kept, ...]
    advised: int
    unswept: tuple[str, ...] = ()
    measured: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the sweep as JSON has it; an infinite ratio (no error at all) is the string ``inf``."""
        found: dict[str, Any] = finite(asdict(self))
        return found


def sweep(
    model: Path,
    data: Path | str | None,
    *,
    precision: str = "int8",
    options: DataOptions | None = None,
    calibration: int = 100,
    layers: int = LAYERS,
    keep: int | None = None,
    write: Path | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    deadline_s: float = DEADLINE_S,
) -> Sensitivity:
    """Return how much each layer of the float file `model` loses at `precision`, and which to keep.

    `data` and its `options` are those of `compress.own.own_subject`; without any, noise is measured on.
    At most `layers` are swept: in larger networks those whose error grows most in the file that is quantized whole.
    `keep` is how many to keep (None: as many as is worth it, up to `KEEP`); the advised file is written to `write`.
    Raises `CompressError` that names file and remedy for what cannot be read, quantized or run.
    """
    runtime = runtime_of(model)
    content = read_content(model)
    try:
        read_parts(content, runtime)
        graph = read_graph(content, runtime)
    except CompressError as error:
        raise type(error)(f"{model}: {error}") from error
    given = _samples(model, data, content, runtime, graph, options or DataOptions(samples=SAMPLES))
    if precision == "int8":
        given = _with_calibration(given, calibration)
    with SweepProcess(model, runtime, precision, given, deadline_s) as process:
        if not process.layers:
            raise CompressError(f"{model}: no layer with weights that {precision} quantizes")
        limit = min(layers, len(process.layers))
        # most of a network in float is no quantized network
        steps = min(max(1, len(process.layers) // 2), KEEP, limit) if keep is None else min(keep, limit)
        total, done = limit + steps + 1, 0

        def step() -> None:
            nonlocal done
            done += 1
            progress(done, total)

        progress(0, total)
        whole = process.keeping(())
        step()
        swept = _screened(model, runtime, given, process, limit, deadline_s)
        alone = []
        for layer in swept:
            found = process.only(layer)
            alone.append(Alone(layer, process.layers[layer], sqnr_db(found.noise), found.correct))
            step()
        alone.sort(key=lambda one: math.inf if one.sqnr_db is None else one.sqnr_db)
        files = [_kept((), whole)]
        for count in range(1, steps + 1):
            names = tuple(one.layer for one in alone[:count])
            files.append(_kept(names, process.keeping(names)))
            step()
        advised = keep if keep is not None else advise(files)
        advised = min(advised, len(files) - 1)
        if write is not None:
            part = write.with_name(f"{write.name}.part")
            part.write_bytes(process.content(files[advised].layers))
            part.replace(write)
        return Sensitivity(
            str(model),
            precision,
            given.described,
            len(given.feeds[0]),
            len(content),
            process.reference.correct,
            tuple(alone),
            tuple(files),
            advised,
            tuple(name for name in process.layers if name not in swept),
            telling(graph) if telling(graph) not in graph.outputs else "output",
        )


def _samples(
    model: Path, data: Path | str | None, content: bytes, runtime: str, graph: Graph, options: DataOptions
) -> Samples:
    if data is not None:
        return read_samples(str(data), content, runtime, options)
    try:
        return noise(graph, options.samples, options.seed)
    except CompressError as error:
        raise type(error)(f"{model}: {error}") from error


def advise(files: Sequence[Kept]) -> int:
    """Return the fewest layers that bring `MOST` of what the best file gains, 0 when that is less than `WORTH_DB`.

    Beyond `SQNR_CEILING_DB` outputs agree to float rounding, and nothing is left to gain.
    """
    ratios = [-SQNR_CEILING_DB if one.sqnr_db is None else min(one.sqnr_db, SQNR_CEILING_DB) for one in files]
    gain = max(ratios) - ratios[0]
    if gain < WORTH_DB:
        return 0
    return next(count for count, ratio in enumerate(ratios) if ratio - ratios[0] >= MOST * gain)


def _kept(names: tuple[str, ...], written: Written) -> Kept:
    return Kept(names, written.bytes, sqnr_db(written.noise), written.correct)


def _with_calibration(given: Samples, count: int) -> Samples:
    """Return `given` with `count` calibration samples: the data's own, else the first of what is measured on."""
    apart = given.calibration is not None
    source = given.calibration or given.feeds
    chosen = tuple(each[:count] for each in source)
    said = f"{given.described}; calibrated on {len(chosen[0])} {'others' if apart else 'of the same'}"
    return Samples(given.feeds, said, given.labels, chosen)


def _screened(
    model: Path, runtime: str, given: Samples, process: SweepProcess, limit: int, deadline_s: float
) -> tuple[str, ...]:
    """Return the layers to sweep: all, or those whose error grows most where everything is quantized."""
    if len(process.layers) <= limit:
        return tuple(process.layers)
    with tempfile.TemporaryDirectory(prefix="compress-sweep-") as folder:
        whole = Path(folder) / f"whole{model.suffix}"
        whole.write_bytes(process.content(()))
        found = layer_errors(whole, model, runtime, given.first(8), deadline_s)
    falls = {one.name: one.fall_db for one in found.layers if not one.why}
    falls |= {one.name: falls.get(one.then) for one in found.layers if one.why}
    # a first layer has nothing to fall from, and an unmatched one no ratio: both are swept
    ranked = sorted(process.layers, key=lambda name: -(math.inf if (fall := falls.get(name)) is None else fall))
    chosen = set(ranked[:limit])
    return tuple(name for name in process.layers if name in chosen)
