"""`compress-bench explain` and `sensitivity`: tables that fit, JSON that parses, one line for a bad file."""

import json
import sys

import numpy as np
import pytest

from compress import cli
from tests.explain.graphs import onnx_file

pytest.importorskip("onnxruntime")
NODES = [("MatMul", ["x", "w"], "product", {}), ("Relu", ["product"], "y", {})]


@pytest.fixture
def call(monkeypatch, capsys):
    def run(*arguments, columns="80"):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setattr(sys, "argv", ["compress-bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return ended.value.code, written.out, written.err

    return run


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "a_model_with_a_name_of_some_length.onnx"
    kernel = np.random.default_rng(0).normal(size=(4, 4)).astype(np.float32)
    path.write_bytes(onnx_file(NODES, {"w": kernel}))
    return path


def test_the_tables_fit_eighty_columns(call, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = call("explain", model.name, "--against", model.name)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    for said in ("where the bytes are", "stayed float", "product", "exact", "noise"):
        assert said in out


def test_json_holds_what_the_tables_do(call, model):
    code, out, _ = call("explain", model, "--against", model, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["bytes"] == model.stat().st_size == sum(found["by_kind"].values())
    assert found["tensors"][0]["bytes"] == 64
    assert [(one["name"], one["sqnr_db"]) for one in found["errors"]["layers"]] == [("product", "inf"), ("y", "inf")]


def test_rows_beyond_the_top_are_summed(call, tmp_path):
    nodes = [("MatMul", ["x", "w0"], "p0", {}), ("MatMul", ["p0", "w1"], "p1", {}), ("MatMul", ["p1", "w2"], "p2", {})]
    path = tmp_path / "three.onnx"
    path.write_bytes(onnx_file(nodes, {f"w{n}": np.ones((4, 4), np.float32) for n in range(3)}))
    _, out, _ = call("explain", path, "--top", "1")
    (rest,) = [line for line in out.splitlines() if line.startswith("2 more tensors")]
    assert rest.split()[3] == "128"


@pytest.mark.parametrize("command", ["explain", "sensitivity"])
@pytest.mark.parametrize("suffix", [".tflite", ".onnx", ".npz"])
def test_random_bytes_are_one_error_that_names_the_file(call, tmp_path, command, suffix):
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(3000))
    code, out, err = call(command, path)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.strip().count("\n") == 0
    assert str(path) in err


@pytest.mark.parametrize("command", ["explain", "sensitivity"])
def test_a_missing_file_is_one_error_that_names_it(call, tmp_path, command):
    code, _, err = call(command, tmp_path / "none.onnx")
    assert code == 2
    assert str(tmp_path / "none.onnx") in err


def test_a_damaged_float_file_is_the_one_that_is_named(call, model, tmp_path):
    (tmp_path / "half.onnx").write_bytes(model.read_bytes()[:100])
    code, _, err = call("explain", model, "--against", tmp_path / "half.onnx")
    assert code == 2
    assert "half.onnx: not a whole ONNX file" in err


def test_a_quantized_file_cannot_be_swept(call, tmp_path):
    nodes = [("DequantizeLinear", ["codes", "scale"], "w", {}), ("MatMul", ["x", "w"], "y", {})]
    path = tmp_path / "int8.onnx"
    path.write_bytes(onnx_file(nodes, {"codes": np.ones((4, 4), np.int8), "scale": np.float32(1)}))
    code, _, err = call("sensitivity", path)
    assert code == 2
    assert "quantized already" in err
    assert str(path) in err


def test_a_sweep_ends_in_one_sentence_of_advice(call, model):
    code, out, _ = call("sensitivity", model, "--precision", "dynamic_range", "--samples", "4")
    assert code == 0
    assert out.splitlines()[-1].startswith("quantize all") or " in float: " in out.splitlines()[-1]
    assert max(map(len, out.splitlines())) <= 160
