"""A ``claims.toml`` in a folder of somebody's own: collected by plain pytest, judged, gated, and told by its lines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

CLAIMS = """\
[subject.net]
model = "net.onnx"
data = "data.npz"

[[claim]]
subject = "net"
recipe = "dynamic_range@onnx"
metric = "size_ratio"
at_least = 2.5
why = "64 kB of flash"

[[claim]]
subject = "net"
recipe = "dynamic_range@onnx"
metric = "accuracy_drop_points"
at_most = 5
why = "users notice more"
"""


COMMANDS = {"pytest": ("-m", "pytest"), "compress-bench": ("-c", "from compress.cli import main; main()")}


@pytest.fixture(scope="module")
def team(tmp_path_factory) -> Path:
    """A folder with a classifier of 64 features in four classes, as an .onnx file, and samples it gets right."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("team")
    centres = generator.normal(size=(4, 64)).astype(np.float32)
    labels = generator.integers(4, size=400)
    inputs = (centres[labels] + 0.3 * generator.normal(size=(400, 64))).astype(np.float32)
    weights = {"w1": np.eye(64, 256, dtype=np.float32), "w2": np.zeros((256, 4), np.float32)}
    weights["w1"] += 0.01 * generator.normal(size=(64, 256)).astype(np.float32)
    weights["w2"][:64] = centres.T
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w1"], ["h"], "first"),
            helper.make_node("MatMul", ["h", "w2"], ["y"], "last"),
        ],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "net.onnx")
    np.savez(folder / "data.npz", x=inputs, y=labels)
    return folder


def run(folder: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "COMPRESS_CACHE_DIR": str(folder / "cache"), "COLUMNS": "140"}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(
        [sys.executable, *COMMANDS[command], *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_plain_pytest_collects_measures_judges_and_stores_a_claims_file(team):
    (team / "claims.toml").write_text(CLAIMS)

    done = run(team, "pytest", "-v")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "claims.toml::net: dynamic_range@onnx: size_ratio PASSED" in done.stdout
    assert "2 passed" in done.stdout
    assert "claims: 2 held" in done.stdout
    assert len(list(team.glob(".benchmarks/*/*.json"))) == 1


def test_a_budget_that_is_broken_fails_with_its_figures_and_its_why(team):
    (team / "claims.toml").write_text(CLAIMS.replace("at_least = 2.5", "at_least = 25"))

    done = run(team, "pytest")

    assert done.returncode == 1
    assert "broken: claims.toml/net: dynamic_range@onnx: size_ratio" in done.stdout
    assert "because:  64 kB of flash" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("at_least", "at_lest", "claims.toml:9: claim has no 'at_lest'"),
        ("dynamic_range", "dynamic_rnage", "claims.toml:5: recipe 'dynamic_rnage@onnx', column 1: no step"),
        ("net.onnx", "nat.onnx", "nat.onnx"),
        ("data.npz", "date.npz", "date.npz"),
    ],
)
def test_a_slip_is_one_error_that_names_the_place(team, before, after, message):
    (team / "claims.toml").write_text(CLAIMS.replace(before, after))

    done = run(team, "pytest")

    assert done.returncode in (2, 4)
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_the_files_options_of_the_data_and_its_metric_are_those_measured_by(team):
    options = 'data = "data.npz"\nsamples = 37\nmetric = "sqnr_db"'
    claimed = CLAIMS.split("[[claim]]")[0].replace('data = "data.npz"', options)
    claim = CLAIMS.split("[[claim]]")[1].replace("size_ratio", "score").replace("2.5", "1")
    (team / "claims.toml").write_text(f"{claimed}[[claim]]{claim}")

    done = run(team, "pytest")

    assert done.returncode == 0, done.stdout
    assert "dB (n=37)" in done.stdout


def test_init_writes_todays_values_with_room_and_pytest_holds_them(team):
    (team / "claims.toml").unlink(missing_ok=True)
    arguments = ("init", "net.onnx", "--data", "data.npz", "-r", "dynamic_range@onnx", "-r", "float16@onnx")

    written = run(team, "compress-bench", *arguments)
    again = run(team, "compress-bench", *arguments)
    judged = run(team, "pytest")

    assert written.returncode == 0, written.stderr
    assert "7 claims, recipes: 2;" in written.stdout
    assert again.returncode == 2
    assert "claims.toml is there already; --force replaces it" in again.stderr
    assert judged.returncode == 0, judged.stdout
    assert "claims: 7 held" in judged.stdout
    text = (team / "claims.toml").read_text()
    assert 'model = "net.onnx"' in text
    assert str(team) not in text
    # rounding to int8 leaves one file's small weights zero, the other's none
    assert text.count('metric = "gzip_bytes"') == 1


def test_what_init_wrote_fails_when_the_model_is_made_worse(team):
    import onnx
    from onnx import numpy_helper

    run(team, "compress-bench", "init", "net.onnx", "--data", "data.npz", "-r", "dynamic_range@onnx", "--force")
    whole = (team / "net.onnx").read_bytes()
    model = onnx.load_model_from_string(whole)
    outlier = numpy_helper.to_array(model.graph.initializer[0]).copy()
    outlier[0, 255] = 1e4  # one huge weight, of no effect on the answers, takes every other weight's levels
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(outlier, "w1"))
    try:
        (team / "net.onnx").write_bytes(model.SerializeToString())
        judged = run(team, "pytest")
    finally:
        (team / "net.onnx").write_bytes(whole)

    assert judged.returncode == 1
    assert "output_sqnr_db" in judged.stdout


def test_pictures_that_a_model_makes_are_kept_shown_and_never_gated(tmp_path):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    generator = np.random.default_rng(0)
    kernel = np.eye(3, dtype=np.float32)[:, :, None, None] + 0.1 * generator.normal(size=(3, 3, 3, 3))
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3, 8, 8]) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "k"], ["y"], "blur", pads=[1, 1, 1, 1])],
        "net",
        ends[:1],
        ends[1:],
        [numpy_helper.from_array(kernel.astype(np.float32), "k")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "net.onnx"
    )
    np.savez(tmp_path / "data.npz", x=generator.random((40, 3, 8, 8)).astype(np.float32))
    subject, claim, _ = CLAIMS.split("[[claim]]")
    better = claim.replace("dynamic_range", "float16").replace("size_ratio", "output_sqnr_db").replace("2.5", "20")
    (tmp_path / "claims.toml").write_text(f"{subject}[[claim]]{better}")

    done = run(tmp_path, "pytest")
    assert done.returncode == 0, done.stdout
    (stored,) = tmp_path.glob(".benchmarks/*/*.json")
    document = json.loads(stored.read_text())
    cells = document["compress"]["cells"]
    assert list(cells["net: float16@onnx"]["pictures"]) == ["input", "float32", "float16@onnx"]
    assert "pictures" not in cells["net: float32@onnx"]
    assert run(tmp_path, "compress-bench", "report").returncode == 0
    report = (tmp_path / "report.html").read_text()
    assert all(f'alt="net: float16@onnx: {name}"' in report for name in ("input", "float32", "float16@onnx"))

    cells["net: float16@onnx"] |= {"pictures": {}, "curves": [{"name": "loss"}]}
    stored.write_text(json.dumps(document))
    again = run(tmp_path, "pytest", "--benchmark-compare")
    assert again.returncode == 0, again.stdout
