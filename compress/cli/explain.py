"""``compress-bench explain``: where the bytes of a model file are, what stayed float and why, each layer's error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from compress.cli.own_options import ImageSize, Scaling, SomeData
from compress.cli.storage import open_console

if TYPE_CHECKING:
    from compress.own import data as own_data


def explain(
    model: Annotated[Path, typer.Argument(help="A .tflite or .onnx file.")],
    against: Annotated[
        Path | None, typer.Option(help="The float file of the same network: each layer is compared with it.")
    ] = None,
    data: SomeData = None,
    scaling: Scaling = "auto",
    image_size: ImageSize = None,
    samples: Annotated[int, typer.Option(help="How many samples.", min=1)] = 32,
    seed: Annotated[int, typer.Option(help="Seed of the split, or of the noise.", min=0)] = 0,
    top: Annotated[int, typer.Option(help="Rows of each table; the rest is summed.", min=1)] = 12,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say where the bytes of a model file are, which weights stayed float and why, and how far each layer is off.

    Only --against runs anything, in a process of its own.
    """
    from compress.explain.explanation import explain as find_out
    from compress.own import DataOptions
    from compress.report.explanation import print_explanation

    options = DataOptions(scaling=cast("own_data.Scaling", scaling), image_size=image_size, samples=samples, seed=seed)
    found = find_out(model, against, data, options=options)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        print_explanation(open_console(), found, top)
