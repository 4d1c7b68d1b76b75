"""Foresight: which cells the collected benches will ask for, so that missing ones are built side by side beforehand.

A bench says what it needs only by asking. So each is called once with cells that hold nothing - a number whose every
attribute, item and call is such a number again - and what it asks for is noted, until it ends or fails; no verdict
comes of it. What this does not foresee is built when it is asked for.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from compress.errors import CompressError
from compress.pytest_judging import SCALES
from compress.pytest_run import is_distributed
from compress.recipe import Recipe

if TYPE_CHECKING:
    import pytest

    from compress.pytest_run import Run
    from compress.workbench import Workbench

STOOD_IN_FOR = frozenset({"compressed", "report_figure", "report_table", "paper_table"})


class Nothing(float):
    """A number that stands for a cell, and for whatever is asked of it."""

    def __new__(cls) -> Nothing:
        """Return one, whatever is asked: zero would end a division."""
        return super().__new__(cls, 1.0)

    def __getattr__(self, name: str) -> Nothing:
        """Return nothing, unless Python looks for a method of its own."""
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()

    def __call__(self, *_: object, **__: object) -> Nothing:
        """Return nothing."""
        return Nothing()

    def __getitem__(self, _: object) -> Nothing:
        """Return nothing."""
        return Nothing()

    def __iter__(self) -> Any:
        """Return an iterator over nothing."""
        return iter(())


def build_ahead(run: Run) -> None:
    """Build what the collected benches will ask for and is missing, as many at a time as there are cores.

    Nothing is measured meanwhile. A worker of pytest-xdist has the other workers for that.
    """
    processes = os.cpu_count() or 1
    if is_distributed(run.config) or processes == 1:
        return
    cells = missing(foreseen(run.session.items, run.workbench, run.suite.scale), run.workbench)
    if len({subject for subject, _ in cells}) > 1:
        run.announce(f"building {len(cells)} files, {processes} at a time, before anything is measured")
        run.workbench.build(cells, processes)


def foreseen(items: list[pytest.Item], workbench: Workbench, scale: str) -> list[tuple[str, Recipe]]:
    """Return the subjects and recipes that `items` will ask for, references included, each once, in that order."""
    asked: dict[str, tuple[str, Recipe]] = {}

    def note(subject: str, recipe: str) -> Nothing:
        spelled = Recipe.parse(recipe)
        one = workbench.subject(subject)
        if one.absent is None or not one.absent():
            for each in (spelled.reference(), spelled):
                asked.setdefault(f"{subject}: {each}", (subject, each))
        return Nothing()

    stand_ins = dict.fromkeys(STOOD_IN_FOR, Nothing()) | {"compressed": note}
    for item in items:
        names = getattr(getattr(item, "_fixtureinfo", None), "argnames", ())
        given = item.callspec.params if hasattr(item, "callspec") else {}
        marker = item.get_closest_marker("scale")
        if "compressed" not in names or not STOOD_IN_FOR.issuperset(set(names) - set(given)):
            continue
        if marker is not None and scale not in (set(marker.args) & set(SCALES)):
            continue
        try:
            item.obj(**{name: given[name] if name in given else stand_ins[name] for name in names})  # type: ignore[attr-defined]
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: S112 - pytest's own outcomes are no Exceptions; the real call reports all
            continue
    return list(asked.values())


def missing(cells: list[tuple[str, Recipe]], workbench: Workbench) -> list[tuple[str, Recipe]]:
    """Return those of `cells` that are not built; a cell whose subject cannot be identified is left to its bench."""
    found = []
    for subject, recipe in cells:
        try:
            if not workbench.is_built(subject, recipe):
                found.append((subject, recipe))
        except CompressError:
            continue
    return found
