"""``compress-bench run``: what each recipe makes of your own model, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compress.own.data import Scaling
    from compress.recipe import Recipe
    from compress.report.run_table import Row
    from compress.subject import Subject

Output = Annotated[str | None, typer.Option(metavar="FILE|-", help="Write it there too; - for stdout, and no table.")]


def run(
    model: Annotated[Path, typer.Argument(help="A .keras, .h5, float .tflite or .onnx file, or a SavedModel folder.")],
    data: Annotated[str, typer.Option(help="An .npz file, a folder of labelled pictures, or module:function.")],
    recipe: Annotated[
        list[str] | None, typer.Option("--recipe", "-r", help="A recipe; may be given often.", show_default="proposed")
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="accuracy, top_5, sqnr_db, psnr_db, cosine, or module:function.",
            show_default="accuracy; sqnr_db without labels",
        ),
    ] = None,
    json: Output = None,
    csv: Output = None,
    scaling: Annotated[
        str, typer.Option(help="What becomes of pixels: auto, none, 0..1, -1..1 or caffe (see the README).")
    ] = "auto",
    image_size: Annotated[int | None, typer.Option(help="Side of the pictures, for a model that takes any.")] = None,
    samples: Annotated[int, typer.Option(help="Samples that are scored, at most.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of the split into calibration and evaluation.")] = 0,
) -> None:
    """Compress a model by some recipes and show size, quality, latency and memory of each, the best marked.

    Half the data calibrates, the other half is scored, unless it comes in halves. What a runtime refuses is a line with
    the reason.
    """
    from compress.own import DataOptions, own_subject, propose_recipes
    from compress.recipe import Recipe
    from compress.report.run_table import mark_pareto, to_csv, to_json

    given = [Recipe.parse(text) for text in recipe or ()]
    options = DataOptions(scaling=cast("Scaling", scaling), image_size=image_size, samples=samples, seed=seed)
    subject = own_subject(model, data, metric=metric, options=options)
    rows = mark_pareto(_measure(subject, given or propose_recipes(subject)))
    about = _about(subject, model, data)
    for where, text in ((json, to_json(rows, about) + "\n"), (csv, to_csv(rows))):
        if where == "-":
            typer.echo(text, nl=False)
        elif where is not None:
            _write(Path(where), text)
    if "-" not in (json, csv):
        _show(rows, about)


def _about(subject: Subject, model: Path, data: str) -> dict[str, object]:
    from compress.measure.quality import Judge

    loaded = subject.data()
    judge = subject.score if isinstance(subject.score, Judge) else None
    return {
        "model": str(model),
        "data": data,
        "parameters": subject.parameters,
        "metric": "accuracy" if judge is None else judge.name,
        "unit": "%" if judge is None else judge.unit,
        "calibration_samples": len(loaded.train_x),
        "evaluation_samples": len(loaded.evaluation_x),
    }


def _measure(subject: Subject, recipes: Sequence[Recipe]) -> list[Row]:
    from compress.cli.measuring import measured
    from compress.report.run_table import refused, row_of

    with measured(subject, recipes) as found:
        return [refused(str(one), one.runtime, cell) if isinstance(cell, str) else row_of(cell) for one, cell in found]


def _write(path: Path, text: str) -> None:
    from compress.claims.atomic import write_whole
    from compress.errors import DataError

    try:
        write_whole(path, [text.encode()])
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}; name another file") from error


def _show(rows: Sequence[Row], about: dict[str, object]) -> None:
    from compress.cli.storage import open_console
    from compress.report.run_table import legend, lines_of

    console = open_console()
    title = (
        f"{about['model']}, {about['parameters']:,} parameters; {about['data']}: {about['calibration_samples']:,} "
        f"samples to calibrate with, {about['evaluation_samples']:,} others scored"
    )
    console.print(title, soft_wrap=True, style="bold")
    measured = [row for row in rows if not row.reason]
    if measured:
        for line in lines_of(measured, str(about["metric"]), str(about["unit"])):
            console.print(line, soft_wrap=True, style="bold" if line.startswith("*") else None)
        console.print(f"\n{legend(str(about['metric']), int(str(about['evaluation_samples'])))}", soft_wrap=True)
    for row in rows:
        if row.reason:
            console.print(f"refused: {row.recipe}: {row.reason}", soft_wrap=True)
