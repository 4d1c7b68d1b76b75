"""``--storage`` takes what pytest-benchmark's own option takes, and a machine's folder itself."""

import pytest
from pytest_benchmark.utils import get_machine_id

from compress.claims.ledger import Ledger
from tests.cli.stored_run import document


@pytest.fixture
def stored(tmp_path):
    """A run where `pytest --benchmark-storage=file://kept` would have put it."""
    Ledger(tmp_path / "kept" / get_machine_id()).save(document(), "x")
    return tmp_path


@pytest.mark.parametrize(
    "form", ["file://kept", "file://./kept", "file://{0}/kept", "kept", "kept/{1}", "file://kept/{1}", "{0}/kept/{1}"]
)
def test_a_storage_is_found_in_every_form(run, stored, form):
    code, out, err = run("runs", "--storage", form.format(stored, get_machine_id()), storage=False)
    assert (code, err) == (0, "")
    assert out.splitlines()[1].split()[:2] == ["0001", "green"]


def test_an_uri_without_runs_names_the_folder_that_pytest_would_write(run):
    code, out, _ = run("runs", "--storage", "file://none", storage=False)
    assert code == 0
    assert f"none/{get_machine_id()}: no runs stored yet" in out.replace("\n", "")


@pytest.mark.parametrize("command", [("runs",), ("report",), ("gc", "--keep-runs", "1"), ("coverage",)])
def test_a_storage_that_is_no_folder_is_one_error(run, command):
    code, out, err = run(*command, "--storage", "elasticsearch+http://host/index", storage=False)
    assert (code, out) == (2, "")
    assert err.startswith(
        "error: --storage elasticsearch+http://host/index: runs with their files are kept in a folder"
    )
    assert err.count("\n") == 1
