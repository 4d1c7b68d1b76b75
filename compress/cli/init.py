"""``compress-bench init``: budgets for your own model at today's values, as a ``claims.toml`` that pytest collects."""

from __future__ import annotations

import os
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from compress.cli.own_options import Data, ImageSize, Metric, Model, Samples, Scaling, Seed, write_text

if TYPE_CHECKING:
    from compress.own import data as own_data
    from compress.own.proposal import Budget
    from compress.workbench import Cell


def init(
    model: Model,
    data: Data,
    recipe: Annotated[
        list[str] | None,
        typer.Option("--recipe", "-r", help="A recipe; may be given often.", show_default="the best of those proposed"),
    ] = None,
    metric: Metric = None,
    scaling: Scaling = "auto",
    image_size: ImageSize = None,
    samples: Samples = 1000,
    seed: Seed = 0,
    output: Annotated[Path, typer.Option(help="The file to write.")] = Path("claims.toml"),
    latency: Annotated[bool, typer.Option(help="Claim latency against the float32 file, too.")] = False,
    force: Annotated[bool, typer.Option(help="Replace the file when it is there.")] = False,
) -> None:
    """Measure a model by some recipes and write what must stay true of it: today's values, with a margin.

    Of the proposed recipes, those are claimed that no other beats at size, quality and latency together.
    """
    from compress.claims.claims_toml import load_claims
    from compress.cli.measuring import measured
    from compress.errors import ClaimError
    from compress.own import DataOptions, own_subject, propose_recipes
    from compress.own.measures import latency_ratio
    from compress.own.proposal import budgets, to_toml
    from compress.recipe import Recipe

    if output.exists() and not force:
        raise ClaimError(f"{output} is there already; --force replaces it, --output names another file")
    given = [Recipe.parse(text) for text in recipe or ()]
    options = DataOptions(scaling=cast("own_data.Scaling", scaling), image_size=image_size, samples=samples, seed=seed)
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", model.stem)
    subject = own_subject(model, data, metric=metric, name=name, options=options)
    claimed: list[Budget] = []
    with measured(subject, given or propose_recipes(subject)) as found:
        for one, why in found:
            if isinstance(why, str):
                typer.echo(f"left out: {one}: {why}", err=True)
        cells = [cell for _, cell in found if not isinstance(cell, str)]
        for cell in cells if given else _best(cells):
            ratio = latency_ratio(cell).value if latency else None
            claimed += budgets(cell, _today(), ratio)
    if not claimed:
        raise ClaimError(f"{model}: no recipe could be measured, so there is nothing to claim")
    folder = output.absolute().parent
    described: dict[str, str | int] = {"model": _relative(model, folder), "data": _data(data, folder)}
    described |= {"metric": metric} if metric else {}
    described |= {key: value for key, value in asdict(options).items() if value != getattr(DataOptions(), key)}
    write_text(output, to_toml(subject.name, described, claimed))
    load_claims(output)
    recipes = len({one.recipe for one in claimed})
    typer.echo(f"wrote {output}: {len(claimed)} claims, recipes: {recipes}; `pytest {output}` measures and judges them")


def _best(cells: list[Cell]) -> list[Cell]:
    """Return the compressed cells that no other beats; all, should the float32 file beat each of them."""
    from compress.report.run_table import mark_pareto, row_of

    compressed = [cell for cell in cells if cell.recipe != cell.recipe.reference() and cell.measurement.was_run]
    marked = mark_pareto([row_of(cell) for cell in compressed])
    return [cell for cell, row in zip(compressed, marked, strict=True) if row.pareto]


def _today() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).date().isoformat()


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.absolute(), folder)).as_posix()


def _data(data: str, folder: Path) -> str:
    return _relative(Path(data), folder) if Path(data).exists() else data
