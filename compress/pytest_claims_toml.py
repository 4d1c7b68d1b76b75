"""Collect every ``claims.toml`` under the collected folders: its claims are tests, judged and gated as benches are.

Subjects of the file are made when the run begins; nothing of a model is loaded to collect it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compress.claims.claim import claim
from compress.claims.claims_toml import FILE_NAME, ClaimsFile, OwnClaim, load_claims
from compress.errors import ClaimError, CompressError

if TYPE_CHECKING:
    from compress.subject import Subject

FILES = pytest.StashKey[dict[Path, ClaimsFile]]()
"""The claims files that were collected in this session."""


class ClaimItem(pytest.Function):
    """One claim of a ``claims.toml``: a bench without a function of its own in any file."""

    own: OwnClaim

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Return the place in the file, its lines counted from 0."""
        return self.path, self.own.line - 1, self.name


class ClaimsCollector(pytest.File):
    """A ``claims.toml``."""

    def collect(self) -> Iterator[ClaimItem]:
        """Yield a test for each claim. Raises `Collector.CollectError` that names the file and the line."""
        try:
            found = load_claims(self.path)
            check_recipes(found)
        except CompressError as error:
            raise self.CollectError(str(error)) from None
        self.config.stash.setdefault(FILES, {})[self.path] = found
        for own in found.claims:
            item: ClaimItem = ClaimItem.from_parent(self, name=own.name, callobj=bench_of(found, own))
            item.own = own
            yield item


def check_recipes(found: ClaimsFile) -> None:
    """Raise `ClaimError`, with file and line, for a recipe that cannot be read."""
    from compress.recipe import Recipe

    for own in found.claims:
        try:
            Recipe.parse(own.recipe)
        except CompressError as error:
            raise ClaimError(f"{found.path}:{own.line}: {error}") from error


def bench_of(found: ClaimsFile, own: OwnClaim) -> Callable[..., Any]:
    """Return the bench that measures `own`, its claim attached."""
    from compress.own.measures import MEASURES

    measure = MEASURES[own.metric]

    @claim(f"{found.path.name}/{own.name}", own.bound, kind="budget")
    def bench(compressed: Callable[[str, str], Any]) -> Any:
        return measure(compressed(own.subject, own.recipe))

    return bench


def collector(path: Path, parent: pytest.Collector) -> ClaimsCollector | None:
    """Return the collector of `path` when it is a claims file."""
    if path.name != FILE_NAME:
        return None
    made: ClaimsCollector = ClaimsCollector.from_parent(parent, path=path)
    return made


def own_subjects(config: pytest.Config) -> list[Subject]:
    """Return the subjects of the claims files that were collected. Raises `ClaimError` when two have one name."""
    from compress.own import DataOptions, own_subject

    named: dict[str, Path] = {}
    subjects = []
    for path, found in config.stash.get(FILES, {}).items():
        for one in found.subjects.values():
            if (other := named.setdefault(one.name, path)) != path:
                raise ClaimError(f"{path}: subject {one.name!r} is in {other} too; rename one of them")
            options = DataOptions(**one.options)
            subjects.append(own_subject(one.model, one.data, metric=one.metric or None, name=one.name, options=options))
    return subjects
