"""``compress-bench inspect``: what every byte of a model file is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def inspect(model: Annotated[Path, typer.Argument(help="A .tflite, .onnx, .weights.h5 or .keras file.")]) -> None:
    """Say what every byte of a model file is; nothing in the file is run."""
    from compress.report.inspection import inspect_file

    for name, value in inspect_file(model):
        typer.echo(f"{name:28}{value}".rstrip())
