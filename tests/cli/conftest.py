"""A ledger in a folder of its own, and the command line run on it."""

import sys

import pytest

from compress import cli
from compress.claims.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "runs")


@pytest.fixture
def run(ledger, tmp_path, monkeypatch, capsys):
    """Return a function from arguments to exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def call(*arguments, storage=True):
        where = ["--storage", str(ledger.folder)] if storage else []
        monkeypatch.setattr(sys, "argv", ["compress-bench", *arguments, *where])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return ended.value.code, written.out, written.err

    return call
