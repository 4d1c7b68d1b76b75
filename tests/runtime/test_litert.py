"""Against files built here, table by table, so that every byte of them is known."""

from __future__ import annotations

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import DataError, ModelFileError
from compress.records import records
from compress.runtime.litert import dequantize, quantize
from compress.runtime.session import op_counts, open_session, prepare, read_parts
from compress.runtime.tflite_weights import read_weights
from tests.runtime.tflite_builder import TYPES, Builder, quantization

WEIGHTS = np.array([[0.5, 0, -1], [2, 0, 0]], np.float32)
BIAS = np.array([0.25, -1], np.float32)


@pytest.fixture(scope="module")
def float_file():
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    build.dense([x, build.constant(WEIGHTS), build.constant(BIAS)], [y])
    return build.finish()


@pytest.fixture(scope="module")
def int8_file():
    build = Builder()
    x = build.tensor([1, 3], TYPES.INT8, scale=quantization([0.5], [-10]))
    y = build.tensor([1, 2], TYPES.INT8, scale=quantization([0.25], [3]))
    weights = build.constant(np.array([[1, 0, -2], [4, 0, 0]], np.int8), TYPES.INT8, quantization([0.5], [0]))
    bias = build.constant(np.array([1, -4], np.int32), TYPES.INT32, quantization([0.25], [0]))
    build.dense([x, weights, bias], [y])
    return build.finish()


def part(content, name):
    (found,) = [part for part in read_parts(content, "litert") if part.name == name]
    return found


def test_float_weights_are_named_by_what_they_are_to_their_operation(float_file):
    parts = read_parts(float_file, "litert")
    kept = [(p.name, p.kind, p.dtype, p.elements, p.bytes, p.zeros, p.shape) for p in parts]
    assert kept[:-1] == [
        ("fully_connected_0.weights", "weights", "float32", 6, 24, 3, (2, 3)),
        ("fully_connected_0.bias", "weights", "float32", 2, 8, 0, (2,)),
    ]
    assert kept[-1][:2] == ("metadata", "metadata")
    assert sum(p.bytes for p in parts) == len(float_file)


def test_scales_and_zero_points_are_counted_and_those_of_activations_marked(int8_file):
    scales = {p.name: (p.dtype, p.elements, p.bytes) for p in read_parts(int8_file, "litert") if p.kind == "scales"}
    assert set(scales) == {
        f"{name}.{what}"
        for name in (
            "fully_connected_0.weights",
            "fully_connected_0.bias",
            "activation:fully_connected_0.0",
            "activation:fully_connected_0",
        )
        for what in ("scale", "zero_point")
    }
    assert scales["fully_connected_0.weights.scale"] == ("float32", 1, 4)
    assert scales["activation:fully_connected_0.zero_point"] == ("int64", 1, 8)


def test_a_name_in_the_file_is_kept():
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    build.dense([x, build.constant(WEIGHTS, name="dense/kernel"), -1], [y])
    assert part(build.finish(), "dense/kernel").elements == 6


def test_zeros_are_counted_against_each_channels_own_zero_point():
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    codes = np.array([[5, 5, 1], [5, 0, 0]], np.int8)
    weights = build.constant(codes, TYPES.INT8, quantization([1, 1], [5, 0]))
    build.dense([x, weights, -1], [y])
    assert part(build.finish(), "fully_connected_0.weights").zeros == 4


def test_packed_int4_counts_nibbles_not_bytes():
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 1])
    weights = build.tensor([1, 3], TYPES.INT4, build.buffer(np.array([0x30, 0x00], np.uint8)), quantization([1], [0]))
    build.dense([x, weights, -1], [y])
    found = part(build.finish(), "fully_connected_0.weights")
    assert (found.dtype, found.elements, found.bytes, found.zeros) == ("int4", 3, 2, 2)


def test_weights_are_read_back_as_the_values_they_stand_for(float_file, int8_file):
    for content in (float_file, int8_file):
        assert np.array_equal(read_weights(content, "fully_connected_0.weights"), WEIGHTS)
        assert np.array_equal(read_weights(content, "fully_connected_0.bias"), BIAS)


@pytest.mark.parametrize("dimension", [0, 1])
def test_weights_are_read_back_by_each_channels_own_scale_and_zero_point(dimension):
    scales, points = np.array([0.5, 0.25, 3])[: 2 + dimension], np.array([5, 0, -7])[: 2 + dimension]
    codes = np.array([[5, -128, 1], [127, 0, 0]], np.int8)
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    build.dense([x, build.constant(codes, TYPES.INT8, quantization(scales, points, dimension)), -1], [y])
    shape = (-1, 1) if dimension == 0 else (1, -1)
    expected = (codes.astype(float) - points.reshape(shape)) * scales.reshape(shape)
    assert np.array_equal(read_weights(build.finish(), "fully_connected_0.weights"), expected)


def test_packed_and_half_weights_are_read_back_with_their_signs():
    nibbles, halves = np.array([0xF7, 0x08], np.uint8), np.array([0x3FC0, 0x8000, 0xC000], np.uint16)
    build = Builder()
    x, y, z = build.tensor([1, 3]), build.tensor([1, 1]), build.tensor([1, 1])
    build.dense([x, build.tensor([1, 3], TYPES.INT4, build.buffer(nibbles), quantization([0.5], [0])), -1], [y])
    build.dense([x, build.tensor([1, 3], TYPES.BFLOAT16, build.buffer(halves)), -1], [z])
    content = build.finish((0,), (1, 2))
    assert read_weights(content, "fully_connected_0.weights").tolist() == [[3.5, -0.5, -4.0]]
    assert read_weights(content, "fully_connected_1.weights").tolist() == [[1.5, 0.0, -2.0]]
    assert part(content, "fully_connected_1.weights").zeros == 1


def test_weights_that_are_not_there_are_refused_with_those_that_are(float_file):
    with pytest.raises(
        ModelFileError, match=r"no weights 'dense' .*fully_connected_0\.weights, fully_connected_0\.bias$"
    ):
        read_weights(float_file, "dense")


def test_weights_of_fewer_values_than_their_shape_has_are_refused():
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    build.dense([x, build.tensor([2, 3], buffer=build.buffer(np.ones(5, np.float32))), -1], [y])
    with pytest.raises(ModelFileError, match=r"stores 5 values for shape \(2, 3\)"):
        read_weights(build.finish(), "fully_connected_0.weights")


def test_a_shared_buffer_is_counted_once_and_a_copy_twice():
    def size(share):
        build = Builder()
        x, y, z = build.tensor([1, 3]), build.tensor([1, 3]), build.tensor([1, 3])
        first = build.buffer(np.eye(3, dtype=np.float32))
        second = first if share else build.buffer(np.eye(3, dtype=np.float32))
        build.dense([x, build.tensor([3, 3], buffer=first), -1], [y])
        build.dense([y, build.tensor([3, 3], buffer=second), -1], [z])
        content = build.finish((0,), (2,))
        parts = read_parts(content, "litert")
        assert sum(p.bytes for p in parts) == len(content)
        return sum(p.bytes for p in parts if p.kind == "weights")

    assert size(share=True) == 36
    assert size(share=False) == 72


def test_bytes_that_nothing_refers_to_are_named_as_such():
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    build.dense([x, build.constant(WEIGHTS), -1], [y])
    build.buffer(np.zeros(1000, np.float32))
    found = part(build.finish(), "unreferenced buffer 2")
    assert (found.kind, found.bytes) == ("metadata", 4000)


def test_data_behind_the_flatbuffer_is_read_from_there(float_file):
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    outside = schema.BufferT()
    outside.offset, outside.size = 4096, WEIGHTS.nbytes
    build.buffers.append(outside)
    build.dense([x, build.tensor([2, 3], buffer=1), build.constant(BIAS)], [y])
    content = build.finish().ljust(4096, b"\0") + WEIGHTS.tobytes()
    found = part(content, "fully_connected_0.weights")
    assert (found.elements, found.bytes, found.zeros) == (6, 24, 3)
    samples = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(
        open_session(content, "litert").invoke(samples), open_session(float_file, "litert").invoke(samples)
    )
    with pytest.raises(ModelFileError, match="a buffer of 24 bytes at byte 4096 ends outside"):
        read_parts(content[:-1], "litert")


def test_integer_constants_without_a_scale_are_part_of_the_graph():
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    build.dense([x, build.constant(WEIGHTS), build.constant(np.array([1, 2], np.int32), TYPES.INT32)], [y])
    content = build.finish()
    assert [p.name for p in read_parts(content, "litert")] == ["fully_connected_0.weights", "metadata"]


def test_sparse_weights_count_their_indices():
    build = Builder()
    x, y = build.tensor([1, 4]), build.tensor([1, 2])
    weights = build.tensor([2, 4], buffer=build.buffer(np.array([1, 2], np.float32)))
    sparsity = schema.SparsityParametersT()
    sparsity.traversalOrder = np.array([0, 1], np.int32)
    dense, sparse = schema.DimensionMetadataT(), schema.DimensionMetadataT()
    dense.format, dense.denseSize = schema.DimensionType.DENSE, 2
    sparse.format = schema.DimensionType.SPARSE_CSR
    sparse.arraySegmentsType = sparse.arrayIndicesType = schema.SparseIndexVector.Uint8Vector
    sparse.arraySegments, sparse.arrayIndices = schema.Uint8VectorT(), schema.Uint8VectorT()
    sparse.arraySegments.values = np.array([0, 1, 2], np.uint8)
    sparse.arrayIndices.values = np.array([3, 0], np.uint8)
    sparsity.dimMetadata = [dense, sparse]
    build.tensors[weights].sparsity = sparsity
    build.dense([x, weights, -1], [y])
    content = build.finish()
    parts = read_parts(content, "litert")
    indices = {p.name: (p.dtype, p.elements, p.bytes) for p in parts if p.kind == "indices"}
    assert indices == {
        "fully_connected_0.weights.segments_1": ("uint8", 3, 3),
        "fully_connected_0.weights.indices_1": ("uint8", 2, 2),
    }
    assert part(content, "fully_connected_0.weights").elements == 2
    assert sum(p.bytes for p in parts) == len(content)


def test_operations_are_counted_by_name(float_file):
    assert op_counts(float_file, "litert") == {"FULLY_CONNECTED": 1}


def test_a_session_computes_each_sample_by_itself(float_file):
    session = open_session(float_file, "litert")
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(session.invoke(x), x @ WEIGHTS.T + BIAS, rtol=1e-5, atol=1e-6)
    assert session.input_shape == (3,)
    assert set(session.versions) == {"ai-edge-litert"}


def test_integer_ends_are_quantized_and_dequantized_by_the_files_parameters(int8_file):
    session = open_session(int8_file, "litert")
    x = np.array([[1, 2, 3], [-1, 0.5, 1]], np.float32)
    np.testing.assert_array_equal(session.invoke(x), x @ WEIGHTS.T + BIAS)


def test_quantizing_an_input_saturates_and_rounds_halves_to_even():
    detail = {"quantization": (0.5, -10), "dtype": np.int8}
    x = np.array([-1e9, -0.75, 0, 0.25, 0.75, 1e9], np.float32)
    np.testing.assert_array_equal(quantize(x, detail), np.array([-128, -12, -10, -10, -8, 127], np.int8))
    np.testing.assert_array_equal(dequantize(np.array([-10, -8], np.int8), detail), np.array([0, 1], np.float32))


def test_a_bound_call_runs_one_inference_of_its_own_sample_again_and_again(float_file):
    session = open_session(float_file, "litert")
    x = np.array([[1, 2, 3]], np.float32)
    call = session.bind(x)
    for _ in range(3):
        call()
    (detail,) = session._outputs.values()
    found = session._interpreter.get_tensor(detail["index"])
    np.testing.assert_allclose(found, x @ WEIGHTS.T + BIAS, rtol=1e-6)


def test_a_file_cut_anywhere_is_one_clear_error(float_file):
    for length in range(len(float_file)):
        with pytest.raises(ModelFileError, match="LiteRT"):
            read_parts(float_file[:length], "litert")


def test_a_small_file_that_would_take_for_ever_to_walk_is_refused():
    entries = 10_000
    builder = flatbuffers.Builder()

    def vector_of(offset, times=1):
        builder.StartVector(4, times, 4)
        for _ in range(times):
            builder.PrependUOffsetTRelative(offset)
        return builder.EndVector()

    inputs = builder.CreateNumpyVector(np.zeros(entries, np.int32))
    schema.OperatorStart(builder)
    schema.OperatorAddInputs(builder, inputs)
    operators = vector_of(schema.OperatorEnd(builder), entries)
    schema.TensorStart(builder)
    tensors = vector_of(schema.TensorEnd(builder))
    schema.SubGraphStart(builder)
    schema.SubGraphAddTensors(builder, tensors)
    schema.SubGraphAddOperators(builder, operators)
    graphs = vector_of(schema.SubGraphEnd(builder))
    schema.OperatorCodeStart(builder)
    codes = vector_of(schema.OperatorCodeEnd(builder))
    schema.BufferStart(builder)
    buffers = vector_of(schema.BufferEnd(builder))
    schema.ModelStart(builder)
    schema.ModelAddOperatorCodes(builder, codes)
    schema.ModelAddSubgraphs(builder, graphs)
    schema.ModelAddBuffers(builder, buffers)
    builder.Finish(schema.ModelEnd(builder), b"TFL3")
    with pytest.raises(ModelFileError, match=r"a vector of 10000 elements"):
        read_parts(bytes(builder.Output()), "litert")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_is_read_or_refused_and_never_counts_more_bytes_than_it_has(data):
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    weights = build.constant(np.ones((2, 3), np.int8), TYPES.INT8, quantization([1, 2], [0, 1]))
    build.dense([x, weights, build.constant(BIAS)], [y])
    damaged = bytearray(build.finish())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        parts = read_parts(bytes(damaged), "litert")
    except ModelFileError:
        return
    assert sum(p.bytes for p in parts) == len(damaged)
    assert all(p.bytes >= 0 for p in parts)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a LiteRT file: 0 bytes"),
        (b"PK\x03\x04" + bytes(100), "without the identifier 'TFL3'"),
        (b"\xff\xff\xff\x7fTFL3" + bytes(100), "truncated or damaged"),
    ],
)
def test_what_is_no_litert_file_is_refused(content, message):
    with pytest.raises(ModelFileError, match=message):
        open_session(content, "litert")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"cannot read model file .*absent\.tflite"):
        open_session(tmp_path / "absent.tflite", "litert")


def test_a_sound_file_the_interpreter_refuses_is_a_model_file_error():
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    build.dense([x, build.constant(np.ones((2, 7), np.float32)), -1], [y])
    with pytest.raises(ModelFileError, match="LiteRT cannot load"):
        open_session(build.finish(), "litert")


def test_a_model_with_two_inputs_takes_records():
    build = Builder()
    x, y = build.tensor([1, 3]), build.tensor([1, 2])
    build.dense([x, build.tensor([2, 3]), -1], [y])
    session = open_session(build.finish((0, 2), (1,)), "litert")
    assert session.input_names == ["input", "input_1"]  # nothing in this file has a name
    weights = np.array([[[1, 0, 0], [0, 1, 1]]], np.float32)
    bound = dict(zip(session.input_names, (np.array([[1, 2, 3]], np.float32), weights), strict=True))
    with pytest.raises(DataError, match="no fields"):
        session.invoke(bound["input"])
    with pytest.raises((ValueError, DataError)):
        session.invoke(records(bound))  # a batch of one in front of the two rows that the file wants


def test_an_unknown_runtime_is_refused_by_name():
    with pytest.raises(ModelFileError, match="runtime must be one of litert, onnx, keras, got 'tensorrt'"):
        prepare("tensorrt")


def test_files_of_the_builder_are_what_the_interpreter_takes(float_file):
    Interpreter(model_content=float_file).allocate_tensors()
