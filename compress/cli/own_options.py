"""What the commands on a model of one's own take, and how they write a file: `run` and `init` share both."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(help="A .keras, .h5, float .tflite or .onnx file, or a SavedModel folder.")]
Data = Annotated[str, typer.Option(help="An .npz file, a folder of labelled pictures, or module:function.")]
Metric = Annotated[
    str | None,
    typer.Option(
        help="accuracy, top_5, f1, em, map_25, map_50, map, bleu, nist, meteor, rouge_1, rouge_2, rouge_l, cider, "
        "sqnr_db, psnr_db, cosine, or module:function.",
        show_default="accuracy; sqnr_db without labels",
    ),
]
Scaling = Annotated[
    str, typer.Option(help="What becomes of pixels: auto, none, 0..1, -1..1 or caffe (docs: own model).")
]
ImageSize = Annotated[int | None, typer.Option(help="Side of the pictures, for a model that takes any.")]
Samples = Annotated[int, typer.Option(help="Samples that are scored, at most.")]
Seed = Annotated[int, typer.Option(help="Seed of the split into calibration and evaluation.")]


def write_text(path: Path, text: str) -> None:
    """Write `path` whole or not at all. Raises `DataError` when it cannot be written."""
    from compress.claims.atomic import write_whole
    from compress.errors import DataError

    try:
        write_whole(path, [text.encode()])
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}; name another file") from error
