"""The process of a sweep: it writes files with chosen layers quantized, runs them, and is the only one to do so."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as DeadlineExceeded
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import CompressError, ModelFileError, RuntimeCrash
from compress.explain.layers import telling
from compress.explain.samples import Samples, split
from compress.runtime.isolation import DEADLINE_S
from compress.runtime.parent import end_with_parent
from compress.runtime.session import read_graph
from compress.runtime.side_by_side import TensorNoise
from compress.runtime.taps import open_taps


@dataclass(frozen=True)
class Written:
    """A file that was written and run: its size, the noise of its `telling` tensor, and how many samples it got right.

    ``correct`` is None without labels.
    """

    bytes: int
    noise: TensorNoise
    correct: int | None


class SweepProcess:
    """A process that holds one float file and its samples. Raises `RuntimeCrash` when it dies or hangs.

    Used as a context manager; leaving it ends the process.
    """

    def __init__(
        self, model: Path, runtime: str, precision: str, samples: Samples, deadline_s: float = DEADLINE_S
    ) -> None:
        self._model, self._deadline_s = model, deadline_s
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, initializer=end_with_parent)
        self._start = (str(model), runtime, precision, samples)

    def __enter__(self) -> SweepProcess:
        self.layers: dict[str, str] = {}
        try:
            self.layers, self.reference = self._ask(_open, *self._start)
        except BaseException:
            self._end(at_once=True)
            raise
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._end(at_once=kind is not None)

    def _end(self, *, at_once: bool) -> None:
        for process in list((self._pool._processes or {}).values()) if at_once else ():
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def keeping(self, kept: Sequence[str]) -> Written:
        """Return what the file is that has all quantized but the layers `kept`."""
        found: Written = self._ask(_measure, "write", tuple(kept))
        return found

    def only(self, layer: str) -> Written:
        """Return what the file is that has `layer` alone quantized."""
        found: Written = self._ask(_measure, "write_only", layer)
        return found

    def content(self, kept: Sequence[str]) -> bytes:
        """Return the file that has all quantized but the layers `kept`."""
        found: bytes = self._ask(_content, "write", tuple(kept))
        return found

    def _ask(self, function: Any, *arguments: Any) -> Any:
        try:
            return self._pool.submit(function, *arguments).result(self._deadline_s)
        except BrokenProcessPool:
            raise RuntimeCrash(f"{self._model}: the process that quantized and ran it died") from None
        except DeadlineExceeded:
            raise RuntimeCrash(f"{self._model}: no answer within {self._deadline_s:g} s") from None


_STATE: dict[str, Any] = {}
"""What the child keeps between two questions: the engine, the samples, the float file's outputs."""


def _open(model: str, runtime: str, precision: str, samples: Samples) -> tuple[dict[str, str], Written]:
    """Load the file in this process; return its layers with their operators, and what it is itself."""
    content = Path(model).read_bytes()
    with _quietly(model):
        outputs = _outputs(content, runtime, samples.feeds)
        if not all(np.isfinite(each).all() for each in outputs):
            raise ModelFileError("it answers with NaN or infinity, which nothing can be measured against")
        if runtime == "litert":
            from compress.explain.litert_layers import LiteRTLayers as Engine
        else:
            from compress.explain.onnx_layers import ONNXLayers as Engine  # type: ignore[assignment]
        engine = Engine(content, precision)
        given = samples.calibration or samples.feeds
        engine.calibrate(split(given, len(given[0])))
    _STATE.update(engine=engine, samples=samples, runtime=runtime, outputs=outputs, model=model)
    signal = float(sum(np.square(each.astype(np.float64)).sum() for each in outputs))
    return engine.layers, Written(len(content), TensorNoise(signal), _correct(outputs, samples.labels))


def _content(how: str, which: Any) -> bytes:
    with _quietly(_STATE["model"]):
        written: bytes = getattr(_STATE["engine"], how)(which)
    return written


def _measure(how: str, which: Any) -> Written:
    content = _content(how, which)
    samples: Samples = _STATE["samples"]
    with _quietly(_STATE["model"]):
        found = _outputs(content, _STATE["runtime"], samples.feeds)
    signal = noise = 0.0
    for exact, answer in zip(_STATE["outputs"], found, strict=True):
        signal += float(np.square(exact.astype(np.float64)).sum())
        # a conversion to a later operator set may leave the same values in another shape
        noise += float(np.square(np.nan_to_num(answer.astype(np.float64)).ravel() - exact.ravel()).sum())
    return Written(len(content), TensorNoise(signal, noise), _correct(found, samples.labels))


def _outputs(content: bytes, runtime: str, feeds: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
    session = open_taps(content, runtime, [telling(read_graph(content, runtime))], fused=True)
    return [session.run([np.asarray(each) for each in run])[0].copy() for run in split(feeds, len(feeds[0]))]


def _correct(outputs: list[NDArray[np.float32]], labels: NDArray[np.int64] | None) -> int | None:
    if labels is None or any(len(each) != 1 or each.ndim != 2 for each in outputs):
        return None
    return int(np.sum(np.concatenate(outputs).argmax(axis=1) == labels))


@contextmanager
def _quietly(model: str) -> Iterator[None]:
    """Hold back what the engines and runtimes print, and name the file in whatever they raise."""
    from compress.quantization.quiet import captured

    with tempfile.TemporaryFile() as log:
        try:
            with captured(log):
                yield
        except CompressError as error:
            raise type(error)(f"{model}: {error}") from None
        except Exception as error:  # whatever an engine raises
            said = str(error).strip().splitlines()
            reason = f"{type(error).__name__}: {said[0] if said else 'no reason given'}"
            raise CompressError(f"{model} cannot be quantized: {reason}; try the other --precision") from None
