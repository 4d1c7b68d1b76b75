"""``compress-bench run`` measures a model file by each recipe; what a runtime refuses is a line and no failure."""

import csv
import io
import json

import numpy as np
import pytest

from tests.tiny_subject import KERNEL, onnx_file

X = np.random.default_rng(3).normal(size=(120, 4)).astype(np.float32)
Y = (X @ KERNEL).argmax(axis=1)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Write a model and data into the working folder, and keep built files apart from the user's."""
    monkeypatch.setenv("COMPRESS_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "model.onnx").write_bytes(onnx_file(KERNEL))
    np.savez(tmp_path / "data.npz", x=X, y=Y)
    np.savez(tmp_path / "bare.npz", x=X)
    return tmp_path


def call(run, *arguments):
    return run("run", "model.onnx", *arguments, storage=False)


def test_a_model_is_measured_by_each_recipe_and_the_best_marked(run):
    code, out, err = call(
        run, "--data", "data.npz", "-r", "float32@onnx", "-r", "int8(60)@onnx", "-r", "prune(0.5)@onnx", "-r", "int8"
    )
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0] == ("model.onnx, 12 parameters; data.npz: 60 samples to calibrate with, 60 others scored")
    assert lines[1].split() == ["recipe", "bytes", "x", "gzip", "accuracy,", "%", "call", "µs", "peak", "MB"]
    assert "float32@onnx" in lines[2]
    assert "100.00 [95.69, 100.00]" in lines[2]
    assert any(line.startswith("*  ") for line in lines)
    assert "refused: prune(0.5)@onnx: prune(0.5) needs a Keras model (.keras or .h5)" in out
    assert "refused: int8: a .onnx model is written for @onnx, not for @litert" in out


def test_json_and_csv_say_the_same_and_leave_stdout_alone(run, files):
    recipes = ("-r", "float32@onnx", "-r", "int8(60)@onnx", "-r", "int8")
    code, out, err = call(run, "--data", "bare.npz", *recipes, "--json", "-", "--csv", "table.csv")
    assert code == 0, err
    document = json.loads(out)
    assert (document["metric"], document["unit"], document["evaluation_samples"]) == ("sqnr_db", "dB", 60)
    plain, quantized, refused = document["rows"]
    assert (plain["quality"], plain["drop"], plain["size_ratio"]) == (60, 0, 1)
    assert 20 < quantized["quality_low"] <= quantized["quality"] <= quantized["quality_high"] < 60
    assert 0.99 < quantized["cosine_similarity"] < 1
    assert quantized["latency_s"] > 0
    assert refused["reason"]
    assert refused["raw_bytes"] is None
    table = list(csv.DictReader(io.StringIO((files / "table.csv").read_text())))
    assert [row["recipe"] for row in table] == ["float32@onnx", "int8(60)@onnx", "int8"]
    assert [int(row["raw_bytes"]) for row in table[:2]] == [plain["raw_bytes"], quantized["raw_bytes"]]


def test_the_files_are_copied_under_their_recipes_names(run, files):
    recipes = ("-r", "float32@onnx", "-r", "int8(60)@onnx", "-r", "int8")
    code, _, err = call(run, "--data", "data.npz", *recipes, "--files", "made/here")
    assert code == 0, err
    made = files / "made" / "here"
    assert sorted(path.name for path in made.iterdir()) == ["model.float32.onnx", "model.int8-60.onnx"]
    assert (made / "model.float32.onnx").read_bytes() == (files / "model.onnx").read_bytes()
    (files / "file").write_text("")
    code, _, err = call(run, "--data", "data.npz", "-r", "float32@onnx", "--files", "file")
    assert code == 2
    assert "error: file: the files could not be copied" in err


def test_a_second_run_builds_nothing(run):
    arguments = ("--data", "data.npz", "-r", "float16@onnx", "--json", "-")
    first = json.loads(call(run, *arguments)[1])["rows"][0]
    second = json.loads(call(run, *arguments)[1])["rows"][0]
    assert second["compress_time_s"] == first["compress_time_s"]
    assert second["file"] == first["file"]


def test_a_metric_of_ones_own_is_measured(run, files):
    (files / "run_metric.py").write_text(
        "import numpy as np\ndef margin(outputs, labels): return outputs.max(axis=1) - np.median(outputs, axis=1)\n"
    )
    code, out, err = call(
        run, "--data", "data.npz", "-r", "float32@onnx", "--metric", "run_metric:margin", "--json", "-"
    )
    assert code == 0, err
    outputs = X @ KERNEL
    row = json.loads(out)["rows"][0]
    assert row["accuracy"] == 1
    assert 0 < row["quality"] < (outputs.max(axis=1) - np.median(outputs, axis=1)).max()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--data", "nowhere.npz"), "no data file nowhere.npz"),
        (("--data", "data.npz", "-r", "int9"), "int9"),
        (("--data", "data.npz", "--metric", "acuracy"), "did you mean accuracy?"),
        (("--data", "data.npz", "--scaling", "256"), "scaling must be one of auto, none, 0..1, -1..1, caffe"),
        (("--data", "data.npz", "-r", "float32@onnx", "--json", "no/such/folder.json"), "cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(run, arguments, said):
    code, out, err = call(run, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_model_that_is_none_is_one_line_and_exit_code_2(run, files):
    (files / "model.onnx").write_bytes(onnx_file(KERNEL)[:100])
    code, out, err = call(run, "--data", "data.npz")
    assert (code, out) == (2, "")
    assert err.startswith("error: model.onnx: not a whole ONNX file")
