"""The documentation, built once."""

import importlib.util
import os
import subprocess
import sys

import pytest

from docs.hooks import ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """Return the folder of the site, built without a warning."""
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("needs the extra `docs`: mkdocs-material")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml", "-d", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return folder
