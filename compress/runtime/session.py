"""Open a model file to run it, or read what every byte of it is: one protocol over the runtimes.

`open_session` runs the file in this process, where a malformed one may take the process down: callers that do not
trust the file go through `compress.runtime.isolation`. `read_parts` and `op_counts` only read, and run anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from compress.artifact import Part
from compress.errors import ModelFileError
from compress.runtime.graph import Graph

ADAPTERS = {"litert": "compress.runtime.litert", "onnx": "compress.runtime.onnx", "keras": "compress.runtime.keras"}
"""Runtime name -> module with ``prepare``, ``open_session``, ``load_session``, ``read_parts`` and ``op_counts``."""

_GRAPHS = {
    "litert": ("compress.runtime.tflite", "compress.runtime.tflite_weights"),
    "onnx": ("compress.runtime.onnx_graph", "compress.runtime.onnx_weights"),
}
"""Runtime whose files hold a graph -> module with ``read_graph``, module with ``weight_readers``."""


class Session(Protocol):
    """A loaded model, ready to run on one or more threads.

    A model with several inputs takes records, and one with several outputs gives them (`compress.records`).
    """

    @property
    def input_names(self) -> list[str]:
        """Names of the inputs, in the file's order."""
        ...

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one sample by the inputs' names, ``{"token_ids": (1,), "cache": (2, 2, 72, 4, 32)}``."""
        ...

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one sample, ``(28, 28, 1)``: no batch dimension; of records, ``()``."""
        ...

    @property
    def versions(self) -> dict[str, str]:
        """Distribution name -> version of what runs the model."""
        ...

    def invoke(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the outputs of the samples `x`: ``(n, 28, 28, 1) -> (n, 10)`` float32.

        Integer inputs and outputs are quantized and dequantized with the parameters in the file.
        """
        ...

    def answer(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs of one sample by name, ``{"logits": (1, 609), "new_cache": (1, 2, 2, 96, 4, 24)}``.

        As `invoke` gives them, but `sample` is not checked, and nothing goes through records: what calls a file
        thousands of times, each with what the last call gave, is not to spend its time on copies.
        """
        ...

    def bind(self, x1: NDArray[Any]) -> Callable[[], object]:
        """Return a callable that runs exactly one inference of the sample `x1`, ``(1, 28, 28, 1)``.

        The input is converted and copied in here, once, and the output stays where the runtime put it: a call is the
        runtime's own invocation and nothing else.
        """
        ...


def _adapter(runtime: str) -> Any:
    if runtime not in ADAPTERS:
        raise ModelFileError(f"runtime must be one of {', '.join(ADAPTERS)}, got {runtime!r}")
    return import_module(ADAPTERS[runtime])


def prepare(runtime: str) -> None:
    """Import what `runtime` needs, so that opening a session afterwards times the model alone.

    Raises `ModelFileError` for an unknown runtime, or one whose library is not installed.
    """
    _adapter(runtime).prepare()


def open_session(model: Path | str | bytes, runtime: str, threads: int = 1) -> Session:
    """Return a session on `model`, a path or a file's content, that computes on `threads` threads.

    Raises `ModelFileError` when the file is missing, is not a model of `runtime`, or does not load.
    """
    return cast("Session", _adapter(runtime).open_session(read_content(model), threads))


def load_session(content: bytes, runtime: str, threads: int = 1) -> Session:
    """Return a session as `open_session` does, on content that `read_parts` has accepted: it is not read again.

    What is left is the runtime's own loading, which can be timed.
    """
    return cast("Session", _adapter(runtime).load_session(content, threads))


def read_parts(content: bytes, runtime: str) -> tuple[Part, ...]:
    """Return what the bytes of a model file are; the parts' ``bytes`` add up to ``len(content)``.

    Names of scales that belong to activations start with ``activation:``. Integer constants that are no quantized
    values (shapes, axes) are part of the graph, so of the last part, ``metadata``: all that is none of the others.
    Raises `ModelFileError` when the content is not a whole model of `runtime`.
    """
    return cast("tuple[Part, ...]", _adapter(runtime).read_parts(content))


def op_counts(content: bytes, runtime: str) -> dict[str, int]:
    """Return how often each operation occurs in a model file, ``{"CONV_2D": 1, "FULLY_CONNECTED": 1}``, by name.

    Raises `ModelFileError` as `read_parts` does.
    """
    return cast("dict[str, int]", _adapter(runtime).op_counts(content))


def read_graph(content: bytes, runtime: str) -> Graph:
    """Return who reads and writes which tensor in a model file; names are those of `read_parts`.

    Raises `ModelFileError` as `read_parts` does, and for a runtime whose files hold no graph.
    """
    return cast("Graph", import_module(_graph_modules(runtime)[0]).read_graph(content))


def weight_readers(content: bytes, runtime: str) -> dict[str, Callable[[], NDArray[np.float32]]]:
    """Return a function for each constant that returns its values as floats, dequantized: ``{"dense.weights": ...}``.

    Raises `ModelFileError` as `read_graph` does; a function raises it when its constant cannot be read alone.
    """
    found = import_module(_graph_modules(runtime)[1]).weight_readers(content)
    return cast("dict[str, Callable[[], NDArray[np.float32]]]", found)


def _graph_modules(runtime: str) -> tuple[str, str]:
    if runtime not in _GRAPHS:
        raise ModelFileError(f"a file holds a graph for the runtimes {', '.join(_GRAPHS)}, not for {runtime!r}")
    return _GRAPHS[runtime]


def read_content(model: Path | str | bytes) -> bytes:
    """Return the bytes of `model`. Raises `ModelFileError` when the file cannot be read."""
    if isinstance(model, bytes):
        return model
    try:
        return Path(model).read_bytes()
    except OSError as error:
        raise ModelFileError(f"cannot read model file {model}: {error.strerror}; check the path") from error
