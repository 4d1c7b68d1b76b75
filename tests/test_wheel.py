"""The wheel holds the package and the files that it reads, and nothing else of this repository."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DATA = re.compile(r"compress/(claims/claims\.schema\.json|report/html/templates/[a-z]+\.(html\.j2|css|js))")
"""The schema of a claims file, and the templates of the report."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Return the names in the wheel, and what its metadata says."""
    pytest.importorskip("hatchling", reason="needs the extra `test`, which builds the wheel without a network")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("compress_bench-*-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive:
        about = {name.partition("/")[2]: archive.read(name).decode() for name in archive.namelist() if "-info/" in name}
        return {name for name in archive.namelist() if "-info/" not in name}, about


def test_the_wheel_holds_every_module_and_every_file_that_they_read(wheel):
    names, _ = wheel
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "compress").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == there


def test_the_wheel_holds_nothing_but_modules_the_schema_and_the_templates(wheel):
    names, _ = wheel
    data = {name for name in names if not name.endswith(".py")}
    assert all(name.startswith("compress/") for name in names)
    assert [name for name in data if not DATA.fullmatch(name)] == []
    assert {Path(name).suffix for name in data} == {".json", ".j2", ".css", ".js"}


def test_the_wheel_declares_the_command_and_the_plugin(wheel):
    _, about = wheel
    assert "compress-bench = compress.cli:main" in about["entry_points.txt"]
    assert "[pytest11]\ncompress-bench = compress.pytest_plugin" in about["entry_points.txt"]
    assert "Apache License" in about["licenses/LICENSE"]
