"""Wiring: the subjects and the papers that the benches claim from."""

from __future__ import annotations

from pathlib import Path

from compress.claims.paper import paper_files
from compress.subject import Subject

pytest_plugins = ["pytester"]
"""The plugin's own tests run pytest; only a root ``conftest.py`` may ask for that."""


def pytest_compress_subjects(scale: str) -> list[Subject]:
    """Hand the fixtures' subjects to the plugin."""
    from fixtures import subjects

    return subjects(scale)


def pytest_compress_papers() -> list[Path]:
    """Hand the papers' tables and claims to the plugin."""
    return paper_files(Path(__file__).parent)
