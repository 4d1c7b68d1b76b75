"""``compress-bench run``: what each recipe makes of your own model, in one table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from compress.cli.own_options import Data, ImageSize, Metric, Model, Samples, Scaling, Seed, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from compress.own import data as own_data
    from compress.recipe import Recipe
    from compress.report.run_table import Row
    from compress.subject import Subject

Output = Annotated[str | None, typer.Option(metavar="FILE|-", help="Write it there too; - for stdout, and no table.")]


def run(
    model: Model,
    data: Data,
    recipe: Annotated[
        list[str] | None, typer.Option("--recipe", "-r", help="A recipe; may be given often.", show_default="proposed")
    ] = None,
    metric: Metric = None,
    json: Output = None,
    csv: Output = None,
    scaling: Scaling = "auto",
    image_size: ImageSize = None,
    samples: Samples = 1000,
    seed: Seed = 0,
) -> None:
    """Compress a model by some recipes and show size, quality, latency and memory of each, the best marked.

    Half the data calibrates, the other half is scored, unless it comes in halves. What a runtime refuses is a line with
    the reason.
    """
    from compress.own import DataOptions, own_subject, propose_recipes
    from compress.recipe import Recipe
    from compress.report.run_table import mark_pareto, to_csv, to_json

    given = [Recipe.parse(text) for text in recipe or ()]
    options = DataOptions(scaling=cast("own_data.Scaling", scaling), image_size=image_size, samples=samples, seed=seed)
    subject = own_subject(model, data, metric=metric, options=options)
    rows = mark_pareto(_measure(subject, given or propose_recipes(subject)))
    about = _about(subject, model, data)
    for where, text in ((json, to_json(rows, about) + "\n"), (csv, to_csv(rows))):
        if where == "-":
            typer.echo(text, nl=False)
        elif where is not None:
            write_text(Path(where), text)
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


def _show(rows: Sequence[Row], about: dict[str, object]) -> None:
    from compress.cli.storage import open_console
    from compress.report.run_table import judged_name, legend, lines_of

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
        quality = judged_name(measured, str(about["metric"]))
        console.print(f"\n{legend(quality, int(str(about['evaluation_samples'])))}", soft_wrap=True)
    for row in rows:
        if row.reason:
            console.print(f"refused: {row.recipe}: {row.reason}", soft_wrap=True)
