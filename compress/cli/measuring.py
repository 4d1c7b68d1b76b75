"""Measure one subject by some recipes for a command, with a progress bar on stderr while it takes its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compress.recipe import Recipe
    from compress.subject import Subject
    from compress.workbench import Cell


@contextmanager
def measured(subject: Subject, recipes: Sequence[Recipe]) -> Iterator[list[tuple[Recipe, Cell | str]]]:
    """Give each recipe with its measured cell, or with why there is none; processes end with the block."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from compress.claims.claim import Unmeasured
    from compress.errors import CompressError
    from compress.workbench import Workbench

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    found: list[tuple[Recipe, Cell | str]] = []
    workbench = Workbench([subject], quiet=True)
    try:
        console = Console(stderr=True, markup=False)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(subject.name, total=len(recipes))
            for one in recipes:
                progress.update(task, description=str(one))
                try:
                    found.append((one, workbench.compressed(subject.name, one)))
                except (CompressError, Unmeasured) as error:
                    found.append((one, _line(str(error))))
                progress.advance(task)
        yield found
    finally:
        workbench.close()


def _line(reason: str) -> str:
    """Return the first line of a reason; a converter's own last lines follow in the error it comes from."""
    return (reason.strip().splitlines() or ["no reason was given"])[0]
