"""The hooks by which a test suite hands its subjects and its papers to the plugin, from a ``conftest.py``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pluggy import HookspecMarker

if TYPE_CHECKING:
    import pytest

    from compress.subject import Subject

hookspec = HookspecMarker("pytest")


@hookspec
def pytest_compress_subjects(config: pytest.Config, scale: str) -> list[Subject]:
    """Return the subjects to compress at `scale`, ``embedded`` or ``paper``. All answers are taken together."""
    raise NotImplementedError


@hookspec
def pytest_compress_papers(config: pytest.Config) -> list[Path]:
    """Return the TOML files of the papers that benches claim from; a claim of theirs must name one of their entries."""
    raise NotImplementedError
