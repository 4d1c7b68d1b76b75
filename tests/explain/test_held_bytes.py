"""The rows of a file's bytes add up to the file, and a tensor's scales are counted with it."""

import numpy as np
import pytest

from compress.explain.explanation import explain
from tests.explain.graphs import onnx_file


@pytest.fixture
def litert_file(tmp_path):
    from tests.runtime.tflite_builder import TYPES, Builder, quantization

    builder = Builder()
    ends = [builder.tensor((1, 8)) for _ in range(2)]
    scale = quantization(np.full(16, 0.1), np.zeros(16))
    kernel = builder.constant(np.ones((16, 8), np.int8), TYPES.INT8, scale)
    builder.dense((ends[0], kernel, builder.constant(np.ones(16, np.float32))), (ends[1],))
    path = tmp_path / "file.tflite"
    path.write_bytes(builder.finish((ends[0],), (ends[1],)))
    return path


def test_the_rows_are_the_tensors_the_largest_first_with_their_scales(litert_file):
    found = explain(litert_file)
    rows = [(row.name, row.dtype, row.elements, row.weight_bytes, row.scale_bytes) for row in found.tensors]
    assert rows == [
        ("fully_connected_0.weights", "int8", 128, 128, 16 * 4 + 16 * 8),
        ("fully_connected_0.bias", "float32", 16, 64, 0),
    ]
    assert found.tensors[0].layer == "FULLY_CONNECTED fully_connected_0"


def test_the_kinds_add_up_to_the_file_and_the_shares_to_what_the_tensors_hold(litert_file):
    found = explain(litert_file)
    assert sum(found.by_kind.values()) == found.bytes == litert_file.stat().st_size
    held = found.bytes - found.by_kind["metadata"]
    assert sum(row.bytes for row in found.tensors) == held
    assert sum(row.share for row in found.tensors) == pytest.approx(held / found.bytes)


def test_scales_of_an_onnx_constant_are_found_by_its_name(tmp_path):
    pytest.importorskip("onnxruntime")
    nodes = [
        ("DequantizeLinear", ["w_quantized", "w_scale", "w_zero_point"], "w", {}),
        ("MatMul", ["x", "w"], "y", {}),
    ]
    constants = {"w_quantized": np.ones((4, 4), np.int8), "w_scale": np.float32(0.5), "w_zero_point": np.int8(0)}
    (tmp_path / "file.onnx").write_bytes(onnx_file(nodes, constants))
    (row,) = explain(tmp_path / "file.onnx").tensors
    assert (row.weight_bytes, row.scale_bytes, row.layer) == (16, 5, "MatMul y")


def test_a_float_file_kept_nothing_float_of_a_quantization(tmp_path):
    pytest.importorskip("onnxruntime")
    content = onnx_file([("MatMul", ["x", "w"], "y", {})], {"w": np.ones((4, 4), np.float32)})
    (tmp_path / "file.onnx").write_bytes(content)
    assert explain(tmp_path / "file.onnx").kept_float == ()
