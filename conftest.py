"""Wiring: the subjects and the papers that the benches claim from."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.claims.paper import paper_files
from compress.subject import Subject

pytest_plugins = ["pytester"]
"""The plugin's own tests run pytest; only a root ``conftest.py`` may ask for that."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that only these subjects have."""
    parser.addoption(
        "--weights",
        choices=("seeded", "imagenet"),
        default="seeded",
        help="weights of the large networks at --scale paper; imagenet needs $COMPRESS_DATA_DIR/imagenet",
    )


def pytest_compress_subjects(config: pytest.Config, scale: str) -> list[Subject]:
    """Hand the fixtures' subjects to the plugin."""
    from fixtures import subjects

    return subjects(scale, config.getoption("weights"))


def pytest_compress_papers() -> list[Path]:
    """Hand the papers' tables and claims to the plugin."""
    return paper_files(Path(__file__).parent)
