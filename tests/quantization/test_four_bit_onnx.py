"""4-bit ONNX files: packed storage, an answer that is computed from it, and readers that account for every byte."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from compress.errors import CompressError
from compress.quantization.codebook import nf4_levels
from compress.quantization.onnx_four_bit import Packing, pack_onnx
from compress.runtime.multiply_adds import multiply_adds
from compress.runtime.onnx_file import op_counts, read_parts
from compress.runtime.onnx_graph import read_graph
from compress.runtime.onnx_weights import weight_readers

WORDS, WIDTH, HIDDEN, OUT = 40, 64, 96, 70


def language_model(seed: int = 0, *, width: int = WIDTH, hidden: int = HIDDEN) -> bytes:
    """Return an .onnx file: token ids (1, 5) -> table -> two dense layers over the sequence, the last a Gemm."""
    rng = np.random.default_rng(seed)
    constants = {
        "table": rng.normal(size=(WORDS, width)),
        "up": rng.normal(size=(width, hidden)) / 8,
        "bias": rng.normal(size=hidden),
        "head": rng.normal(size=(OUT, hidden)) / 8,
        "last": rng.normal(size=OUT),
    }
    nodes = [
        helper.make_node("Gather", ["table", "input"], ["x"]),
        helper.make_node("MatMul", ["x", "up"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["active"]),
        helper.make_node("Squeeze", ["active", "axes"], ["rows"]),
        helper.make_node("Gemm", ["rows", "head", "last"], ["output"], transB=1),
    ]
    held = [numpy_helper.from_array(np.asarray(values, np.float32), name) for name, values in constants.items()]
    held.append(numpy_helper.from_array(np.array([0], np.int64), "axes"))
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("input", TensorProto.INT32, [1, 5])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [5, OUT])],
        held,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def run(content: bytes, ids: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"input": ids[None].astype(np.int32)})[0])


def by_hand(content: bytes, ids: np.ndarray) -> np.ndarray:
    """Return what the model answers when its stored codes are dequantized by numpy, in float64."""
    values = {name: read().astype(np.float64) for name, read in weight_readers(content).items()}
    active = np.maximum(values["table"][ids] @ values["up"] + values["bias"], 0)
    return np.asarray(active @ values["head"] + values["last"])


def samples(count: int = 60, seed: int = 5) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, WORDS, (count, 5)).astype(np.int32)


EVERY: dict[str, Callable[[], tuple[Packing, Any]]] = {
    "int4": lambda: (Packing("int4", 32, "int4"), None),
    "int4 of 16": lambda: (Packing("int4", 16, "int4"), None),
    "int4 by gptq": lambda: (Packing("int4", 32, "int4"), samples()),
    "nf4": lambda: (Packing("nf4", 64, "int4"), None),
    "nf4 of 32, float tables": lambda: (Packing("nf4", 32, "float32"), None),
}


@pytest.fixture(params=EVERY)
def packing(request):
    return EVERY[request.param]()


def test_the_runtime_answers_what_the_stored_codes_stand_for(packing):
    content = pack_onnx(language_model(), *packing)
    for ids in samples(4, seed=9):
        assert np.allclose(run(content, ids), by_hand(content, ids), rtol=1e-4, atol=1e-4)


@settings(max_examples=15)
@given(st.integers(0, 1000), st.sampled_from([16, 32, 64]), st.sampled_from(["int4", "nf4"]), st.integers(64, 130))
def test_the_runtime_computes_from_matrices_of_any_height(seed, block, levels, hidden):
    content = pack_onnx(language_model(seed, hidden=hidden), Packing(levels, block, "int4"), None)
    ids = samples(1, seed)[0]
    assert np.allclose(run(content, ids), by_hand(content, ids), rtol=1e-4, atol=1e-4)


def test_no_matrix_is_stored_as_floats(packing):
    content = pack_onnx(language_model(), *packing)
    parts = {part.name: part for part in read_parts(content)}
    stored = "nf4" if packing[0].levels == "nf4" else "int4"
    assert {name: parts[name].dtype for name in ("up", "head")} == {"up": stored, "head": stored}
    assert parts["table"].dtype == packing[0].embeddings
    floats = [part for part in parts.values() if part.kind == "weights" and part.dtype == "float32"]
    assert {part.name for part in floats} <= {"bias", "last", "table"}
    raw = {tensor.name: tensor for tensor in onnx.load_model_from_string(content).graph.initializer}
    assert raw["up"].data_type == raw["head"].data_type == TensorProto.UINT8


def test_bytes_are_half_a_value_and_a_float_a_block(packing):
    content = pack_onnx(language_model(), *packing)
    parts = {part.name: part for part in read_parts(content)}
    block = packing[0].block
    for name, (height, width) in {"up": (WIDTH, HIDDEN), "head": (HIDDEN, OUT)}.items():
        if packing[0].levels == "nf4":
            blocks, values = -(-height * width // block), height * width
        else:
            blocks = width * -(-height // block)
            values = blocks * block
        assert parts[name].shape == (height, width)
        assert parts[name].elements == height * width
        assert parts[name].bytes == values // 2
        assert (parts[f"{name}.scale"].kind, parts[f"{name}.scale"].bytes) == ("scales", 4 * blocks)
    assert sum(part.bytes for part in parts.values()) == len(content)


def test_operators_are_those_that_compute_from_packed_storage(packing):
    counts = op_counts(pack_onnx(language_model(), *packing))
    operator = "MatMulBnb4" if packing[0].levels == "nf4" else "MatMulNBits"
    assert counts[f"com.microsoft.{operator}"] == 2
    assert counts.get("com.microsoft.GatherBlockQuantized", 0) == (packing[0].embeddings == "int4")
    assert "Gemm" not in counts
    assert "MatMul" not in counts


def test_multiply_adds_are_those_of_the_float_model(packing):
    expected = 5 * (WIDTH * HIDDEN + HIDDEN * OUT)
    assert multiply_adds(language_model(), "onnx") == expected
    assert multiply_adds(pack_onnx(language_model(), *packing), "onnx") == expected


def test_the_graph_says_which_constants_are_packed_and_knows_every_shape(packing):
    graph = read_graph(pack_onnx(language_model(), *packing))
    assert graph.dtype("up") == packing[0].levels
    assert graph.tensors["up"].shape == (WIDTH, HIDDEN)
    assert all(graph.tensors[name].shape for node in graph.nodes for name in node.outputs)


def test_nf4_values_are_levels_of_their_block():
    content = pack_onnx(language_model(), Packing("nf4", 64, "float32"), None)
    original, stored = (weight_readers(one)["up"]().T.reshape(-1, 64) for one in (language_model(), content))
    largest = np.abs(original).max(axis=1, keepdims=True)
    assert np.isin(np.round(stored / largest, 5), np.round(nf4_levels(), 5)).all()
    gaps = np.diff(nf4_levels())
    assert (np.abs(stored - original) <= largest * gaps.max() / 2 * (1 + 1e-5)).all()
    assert np.array_equal(np.abs(stored).max(axis=1, keepdims=True), largest)


def test_codes_of_nf4_are_those_that_onnx_runtime_writes():
    from onnxruntime.capi._pybind_state import quantize_matmul_bnb4

    content = pack_onnx(language_model(), Packing("nf4", 64, "float32"), None)
    packed = {t.name: numpy_helper.to_array(t) for t in onnx.load_model_from_string(content).graph.initializer}
    weights = np.ascontiguousarray(weight_readers(language_model())["up"]().T)
    codes, largest = np.zeros(weights.size // 2, np.uint8), np.zeros(weights.size // 64, np.float32)
    quantize_matmul_bnb4(codes, weights, largest, 64, 1, *weights.shape)
    assert np.array_equal(packed["up"], codes)
    assert np.array_equal(packed["up.scale"], largest)


def test_gptq_answers_closer_to_the_float_model_than_rounding_to_nearest():
    table = np.random.default_rng(1).normal(size=(WORDS, 6)) @ np.random.default_rng(2).normal(size=(6, WIDTH))
    model = onnx.load_model_from_string(language_model())
    for tensor in model.graph.initializer:
        if tensor.name == "table":
            tensor.CopyFrom(numpy_helper.from_array(table.astype(np.float32), "table"))
    content = model.SerializeToString()
    errors = {}
    for method, given_samples in (("rtn", None), ("gptq", samples())):
        packed = pack_onnx(content, Packing("int4", 32, "float32"), given_samples)
        errors[method] = sum(np.linalg.norm(run(packed, ids) - run(content, ids)) for ids in samples(20, seed=8))
    assert errors["gptq"] < 0.8 * errors["rtn"]


def test_the_same_model_gives_the_same_bytes(packing):
    assert pack_onnx(language_model(), *packing) == pack_onnx(language_model(), *packing)


def test_a_model_with_nothing_to_pack_is_refused():
    with pytest.raises(CompressError, match="nothing to pack into 4 bits; choose a smaller block"):
        pack_onnx(language_model(width=20, hidden=24), Packing("int4", 64, "int4"), None)


def test_a_table_is_cut_into_blocks_that_divide_its_rows():
    content = pack_onnx(language_model(width=96), Packing("nf4", 64, "int4"), None)
    scales = {part.name: part.shape for part in read_parts(content) if part.kind == "scales"}
    assert scales["table.scale"] == (WORDS, 3)
    ids = samples(1)[0]
    assert np.allclose(run(content, ids), by_hand(content, ids), rtol=1e-4, atol=1e-4)


def test_a_matrix_that_something_else_reads_as_well_stays_float():
    model = onnx.load_model_from_string(language_model())
    model.graph.node.append(helper.make_node("Transpose", ["up"], ["turned"]))
    content = pack_onnx(model.SerializeToString(), Packing("int4", 32, "int4"), None)
    assert {part.name: part.dtype for part in read_parts(content)}["up"] == "float32"
