"""What one model file is made of, for the command line: bytes by kind, weights by storage type, operators."""

from __future__ import annotations

import tempfile
from pathlib import Path

from compress.errors import ModelFileError
from compress.measure import size
from compress.runtime.session import op_counts, read_content, read_parts

RUNTIME_OF = {".tflite": "litert", ".onnx": "onnx", ".h5": "keras"}
"""File suffix -> runtime whose format it is."""


def inspect_file(path: Path) -> list[tuple[str, str]]:
    """Return name and value of what the file at `path` tells without being run; a ``.keras`` model is loaded, safely.

    Raises `ModelFileError` that names the file when it is missing, damaged, hostile or of an unknown kind.
    """
    content = read_content(path)
    total = [("file", f"{len(content):,} bytes"), ("gzipped", f"{size.gzip_bytes(content):,} bytes")]
    if path.suffix == ".keras":
        from compress.quantization.quiet import captured
        from compress.runtime.keras import load_keras

        with tempfile.TemporaryFile() as log, captured(log):  # TensorFlow introduces itself on stderr
            model = load_keras(path)
        layers = [type(layer).__name__ for layer in model.layers]
        return [*total, ("parameters", f"{model.count_params():,}"), ("layers", ", ".join(layers))]
    if path.suffix not in RUNTIME_OF:
        known = ", ".join([*RUNTIME_OF, ".keras"])
        raise ModelFileError(f"{path}: the kind of a file is told by its suffix, one of {known}; rename or export it")
    runtime = RUNTIME_OF[path.suffix]
    try:
        parts, operators = read_parts(content, runtime), op_counts(content, runtime)
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error
    kinds = [(f"  {kind}", f"{count:,} bytes") for kind, count in size.bytes_by_kind(parts).items() if count]
    stored = [(f"  {dtype}", f"{count:,}") for dtype, count in size.elements_by_dtype(parts).items()]
    return [
        *total,
        ("of it", ""),
        *kinds,
        ("weight elements stored as", ""),
        *stored,
        ("zeros among kernel weights", f"{size.sparsity(parts):.2%}"),
        ("operators", ", ".join(f"{name} x{count}" for name, count in operators.items()) or "none"),
    ]
