"""``compress-bench sensitivity``: which layers of a float file to keep in float."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from compress.cli.own_options import ImageSize, Scaling, SomeData
from compress.cli.storage import open_console

if TYPE_CHECKING:
    from compress.own import data as own_data


def sensitivity(
    model: Annotated[Path, typer.Argument(help="A float .tflite or .onnx file.")],
    data: SomeData = None,
    scaling: Scaling = "auto",
    image_size: ImageSize = None,
    precision: Annotated[Literal["int8", "dynamic_range"], typer.Option(help="What to quantize to.")] = "int8",
    samples: Annotated[int, typer.Option(help="How many samples to measure on.", min=1)] = 64,
    calibration: Annotated[int, typer.Option(help="How many samples to calibrate int8 with.", min=1)] = 100,
    layers: Annotated[int, typer.Option(help="Most layers to sweep; those that lose most.", min=1)] = 40,
    keep: Annotated[
        int | None, typer.Option(help="Layers to keep in float.", min=0, show_default="as many as is worth it, up to 5")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Write the file that keeps those layers.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the split, or of the noise.", min=0)] = 0,
    top: Annotated[int, typer.Option(help="Rows of the ranking.", min=1)] = 15,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Quantize one layer at a time, rank them by what the output loses, and build the files that keep the worst.

    With ai-edge-quantizer for .tflite, ONNX Runtime's quantizers for .onnx, in a process of their own.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from compress.explain.sensitivity import sweep
    from compress.own import DataOptions
    from compress.report.sensitivity import print_sensitivity

    options = DataOptions(scaling=cast("own_data.Scaling", scaling), image_size=image_size, samples=samples, seed=seed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("files built and run", total=None)
        found = sweep(
            model,
            data,
            precision=precision,
            options=options,
            calibration=calibration,
            layers=layers,
            keep=keep,
            write=write,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        print_sensitivity(open_console(), found, top)
