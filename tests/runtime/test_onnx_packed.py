"""Constants of several codes a byte in ONNX files by anybody: other widths, zero points, and damage."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from compress.errors import ModelFileError
from compress.runtime.onnx_file import read_parts
from compress.runtime.onnx_packed import NF4
from compress.runtime.onnx_weights import weight_readers

HEIGHT, WIDTH, BLOCK = 64, 24, 32


def file(operator: str, constants: dict[str, np.ndarray], **attributes: Any) -> bytes:
    """Return an .onnx file of one contributed operation on the float input (1, 64)."""
    graph = helper.make_graph(
        [helper.make_node(operator, ["input", *constants], ["output"], domain="com.microsoft", **attributes)],
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, HEIGHT])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, WIDTH])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    operators = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return bytes(helper.make_model(graph, opset_imports=operators, ir_version=8).SerializeToString())


def product(bits: int = 4, *, points: bool = False, **changes: Any) -> bytes:
    rng = np.random.default_rng(bits)
    blocks = HEIGHT // BLOCK
    constants = {
        "codes": rng.integers(0, 256, (WIDTH, blocks, BLOCK * bits // 8), np.uint8),
        "scales": rng.normal(size=(WIDTH, blocks)).astype(np.float32),
    }
    if points:
        constants["points"] = rng.integers(0, 256, (WIDTH, -(-blocks * bits // 8)), np.uint8)
    constants |= changes.pop("constants", {})
    return file("MatMulNBits", constants, **{"K": HEIGHT, "N": WIDTH, "bits": bits, "block_size": BLOCK, **changes})


def table_of_levels(constants: dict[str, np.ndarray]) -> bytes:
    return file("MatMulBnb4", constants, K=HEIGHT, N=WIDTH, block_size=BLOCK, quant_type=1)


def by_the_runtime(content: bytes) -> np.ndarray:
    """Return the matrix that ONNX Runtime multiplies by, one row of it a unit vector."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(None, {"input": row[None]})[0] for row in np.eye(HEIGHT, dtype=np.float32)])


@pytest.mark.parametrize(("bits", "points"), [(4, False), (4, True), (8, False), (8, True)])
def test_values_are_what_the_runtime_multiplies_by(bits, points):
    content = product(bits, points=points)
    values = weight_readers(content)["codes"]()
    assert values.shape == (HEIGHT, WIDTH)
    assert np.allclose(values, by_the_runtime(content), rtol=1e-4, atol=1e-4)


def test_every_level_of_nf4_is_the_runtimes():
    codes = np.tile(np.arange(16, dtype=np.uint8), HEIGHT * WIDTH // 16)
    scales = np.ones(HEIGHT * WIDTH // BLOCK, np.float32)
    content = table_of_levels({"codes": codes[0::2] << 4 | codes[1::2], "scales": scales})
    values = weight_readers(content)["codes"]()
    assert np.array_equal(np.unique(values), NF4)
    assert np.allclose(values, by_the_runtime(content), atol=1e-6)


def test_zeros_of_nf4_are_counted():
    codes = np.full(HEIGHT * WIDTH // 2, 0x77, np.uint8)
    codes[:10] = 0x87  # the level above zero, and zero
    content = table_of_levels({"codes": codes, "scales": np.ones(HEIGHT * WIDTH // BLOCK, np.float32)})
    assert {part.name: part.zeros for part in read_parts(content)}["codes"] == HEIGHT * WIDTH - 10
    assert np.count_nonzero(weight_readers(content)["codes"]() == 0) == HEIGHT * WIDTH - 10


@pytest.mark.parametrize("points", [False, True])
def test_parts_tell_codes_from_scales_and_zero_points(points):
    content = product(points=points)
    parts = {part.name: part for part in read_parts(content)}
    assert (parts["codes"].dtype, parts["codes"].elements) == ("int4", HEIGHT * WIDTH)
    assert parts["codes"].bytes == HEIGHT * WIDTH // 2
    assert parts["codes"].zeros == np.count_nonzero(weight_readers(content)["codes"]() == 0)
    assert all(parts[name].kind == "scales" for name in ["scales", *(["points"] if points else [])])
    assert sum(part.bytes for part in parts.values()) == len(content)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"K": 4096}, r"'codes' holds 768 values of uint8, and its 4-bit codes for a matrix of shape \(4096, 24\)"),
        ({"N": 25}, "'codes' holds 768 values"),
        ({"bits": 3}, "has 3 bits"),
        ({"block_size": 0}, "block=0"),
        ({"K": -64}, "shape"),
    ],
)
def test_attributes_that_do_not_fit_the_bytes_are_refused(changes, reason):
    with pytest.raises(ModelFileError, match=reason):
        read_parts(product(**changes))


def test_scales_of_another_number_are_refused():
    content = product(constants={"scales": np.ones((WIDTH, 3), np.float32)})
    with pytest.raises(ModelFileError, match="has 72 scales for 48 blocks, which cannot be read"):
        weight_readers(content)["codes"]()


def test_zero_points_of_another_number_are_refused():
    content = product(points=True, constants={"points": np.zeros((WIDTH, 7), np.float32)})
    with pytest.raises(ModelFileError, match="has 168 zero points for 48 blocks"):
        weight_readers(content)["codes"]()
