"""A file explained: where its bytes are, which weights stayed float and why, and each layer's error."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from compress.errors import ModelFileError
from compress.explain.held_bytes import Held, held_bytes
from compress.explain.kept_float import KeptFloat, kept_float
from compress.explain.layer_errors import LayerErrors, layer_errors
from compress.explain.samples import noise, read_samples
from compress.measure.size import bytes_by_kind, elements_by_dtype
from compress.own.data import DataOptions
from compress.runtime.isolation import DEADLINE_S
from compress.runtime.session import read_content, read_graph, read_parts

RUNTIMES = {".tflite": "litert", ".onnx": "onnx"}
"""Suffix of a file that holds a graph -> its runtime."""

SAMPLES = 32
"""Samples that each layer is compared on, unless others are asked for."""


@dataclass(frozen=True)
class Explanation:
    """What `explain` found out; ``errors`` is None without a float file to compare with."""

    file: str
    bytes: int
    by_kind: dict[str, int]
    by_dtype: dict[str, int]
    tensors: tuple[Held, ...]
    kept_float: tuple[KeptFloat, ...]
    against: str = ""
    samples: str = ""
    errors: LayerErrors | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON has it; an infinite ratio (no error at all) is the string ``inf``."""
        tensors = [{**asdict(one), "bytes": one.bytes} for one in self.tensors]
        found: dict[str, Any] = finite({**asdict(self), "tensors": tensors})
        return found


def finite(value: Any) -> Any:
    """Return `value` with infinities and NaN as strings, which JSON has no numbers for."""
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def runtime_of(path: Path) -> str:
    """Return the runtime of a file by its suffix. Raises `ModelFileError` for one whose files hold no graph."""
    if path.suffix not in RUNTIMES:
        raise ModelFileError(f"{path}: only {' and '.join(RUNTIMES)} files can be explained; export the model as one")
    return RUNTIMES[path.suffix]


def explain(
    model: Path,
    against: Path | None = None,
    data: Path | str | None = None,
    *,
    options: DataOptions | None = None,
    deadline_s: float = DEADLINE_S,
) -> Explanation:
    """Return where the bytes of the file `model` are and what stayed float; with the float file, each layer's error.

    `data` and its `options` are those of `compress.own.own_subject`; without any the files are run on noise. Raises
    `ModelFileError` or `DataError` that names the bad file, `RuntimeCrash` when one cannot be run.
    """
    runtime = runtime_of(model)
    content = read_content(model)
    try:
        parts, graph = read_parts(content, runtime), read_graph(content, runtime)
        found = Explanation(
            str(model),
            len(content),
            bytes_by_kind(parts),
            elements_by_dtype(parts),
            tuple(held_bytes(parts, graph)),
            tuple(kept_float(parts, graph, runtime)),
        )
    except ModelFileError as error:
        raise ModelFileError(f"{model}: {error}") from error
    if against is None:
        return found
    if runtime_of(against) != runtime:
        raise ModelFileError(
            f"{against} is no {model.suffix} file; name the float file that {model.name} was made from"
        )
    try:
        float_content = read_content(against)
        reference = read_graph(float_content, runtime)
    except ModelFileError as error:
        raise ModelFileError(f"{against}: {error}") from error
    if len(reference.inputs) != len(graph.inputs):
        raise ModelFileError(f"{model} and {against} do not have the same inputs; name the float file of this network")
    options = options or DataOptions(samples=SAMPLES)
    if data is None:
        given = noise(reference, options.samples, options.seed)
    else:
        given = read_samples(str(data), float_content, runtime, options)
    errors = layer_errors(model, against, runtime, given, deadline_s)
    return Explanation(**{**vars(found), "against": str(against), "samples": given.described, "errors": errors})
