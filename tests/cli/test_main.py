"""Every command ends an error of ours in one line, and none is slow to start."""

import json
import subprocess
import sys

import pytest

from tests.cli.stored_run import document


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("accept", "9", "--reason", "x"), "0 runs match '9'; stored runs: 0001"),
        (("accept", "1", "--reason", " "), "accepting a run needs a reason"),
        (("coverage", "--run", "9"), "0 runs match '9'"),
        (("coverage", "--papers", "nowhere"), "nowhere: no */paper.toml there; name the folder of the benches"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(run, ledger, arguments, said):
    ledger.save(document("red"), "x")
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_asking_for_help_imports_nothing_heavy():
    script = (
        "import sys\nfrom compress.cli import main\nsys.argv = ['compress-bench', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "import json\nprint(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "coverage" in done.stdout
    assert not loaded & {"numpy", "scipy", "tensorflow", "keras", "onnx", "pytest"}
