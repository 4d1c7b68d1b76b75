from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from compress.errors import DataError, ModelFileError
from compress.records import records
from compress.runtime.session import op_counts, open_session, read_parts

WEIGHTS = np.array([[0.5, 2], [0, 0], [-1, 0]], np.float32)
BIAS = np.array([0.25, -1], np.float32)


def model_of(nodes, constants, kind=TensorProto.FLOAT):
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", kind, ["batch", 3])],
        [helper.make_tensor_value_info("y", kind, ["batch", 2])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def float_model():
    return model_of([helper.make_node("Gemm", ["x", "w", "b"], ["y"])], {"w": WEIGHTS, "b": BIAS})


def summary(model):
    content = model.SerializeToString()
    parts = read_parts(content, "onnx")
    assert sum(part.bytes for part in parts) == len(content)
    return {part.name: (part.kind, part.dtype, part.elements, part.bytes, part.zeros) for part in parts[:-1]}


def test_initializers_are_weights_with_their_stored_bytes():
    assert summary(float_model()) == {"w": ("weights", "float32", 6, 24, 3), "b": ("weights", "float32", 2, 8, 0)}


def test_values_kept_as_typed_fields_are_counted_as_stored():
    model = float_model()
    model.graph.initializer[0].CopyFrom(helper.make_tensor("w", TensorProto.FLOAT, [3, 2], WEIGHTS.ravel()))
    found = summary(model)["w"]
    assert found[2] == 6
    assert 24 < found[3] <= 28


def test_scales_are_told_by_use_and_zeros_by_the_zero_point():
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "xs", "xz"], ["xf"]),
        helper.make_node("DequantizeLinear", ["wq", "ws", "wz"], ["wf"], axis=1),
        helper.make_node("MatMul", ["xf", "wf"], ["y"]),
    ]
    constants = {
        "xs": np.float32(0.5),
        "xz": np.int8(-3),
        "wq": np.array([[7, 0], [7, 1], [2, 0]], np.int8),
        "ws": np.ones(2, np.float32),
        "wz": np.array([7, 0], np.int8),
    }
    assert summary(model_of(nodes, constants)) == {
        "wq": ("weights", "int8", 6, 6, 4),
        "activation:xs": ("scales", "float32", 1, 4, 0),
        "activation:xz": ("scales", "int8", 1, 1, 0),
        "ws": ("scales", "float32", 2, 8, 0),
        "wz": ("scales", "int8", 2, 2, 1),
    }


def test_the_scale_of_a_dynamically_quantized_product_is_found_behind_its_multiplication():
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"]),
        helper.make_node("MatMulInteger", ["xq", "wq", "xz", "wz"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["xs", "ws"], ["s"]),
        helper.make_node("Mul", ["f", "s"], ["y"]),
    ]
    constants = {"wq": np.ones((3, 2), np.int8), "ws": np.float32(0.1), "wz": np.int8(0)}
    kinds = {name: found[0] for name, found in summary(model_of(nodes, constants)).items()}
    assert kinds == {"wq": "weights", "ws": "scales", "wz": "scales"}


def test_shapes_are_part_of_the_graph_and_constants_in_nodes_are_weights():
    nodes = [
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(WEIGHTS)),
        helper.make_node("Reshape", ["x", "shape"], ["r"]),
        helper.make_node("MatMul", ["r", "w"], ["y"]),
    ]
    found = summary(model_of(nodes, {"shape": np.array([-1, 3], np.int64)}))
    assert found == {"w": ("weights", "float32", 6, 24, 3)}


def test_operations_are_counted_with_the_domain_of_contributed_ones():
    model = float_model()
    model.graph.node.append(helper.make_node("FusedMatMul", ["x", "w"], ["z"], domain="com.microsoft"))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert op_counts(model.SerializeToString(), "onnx") == {"Gemm": 1, "com.microsoft.FusedMatMul": 1}


def test_a_session_computes_each_sample_by_itself():
    session = open_session(float_model().SerializeToString(), "onnx")
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(session.invoke(x), x @ WEIGHTS + BIAS, rtol=1e-5, atol=1e-6)
    assert session.input_shape == (3,)
    assert set(session.versions) == {"onnxruntime"}


def test_float_samples_are_cast_to_the_type_the_model_takes():
    model = model_of(
        [helper.make_node("Gemm", ["x", "w"], ["y"])], {"w": WEIGHTS.astype(np.float64)}, TensorProto.DOUBLE
    )
    found = open_session(model.SerializeToString(), "onnx").invoke(np.ones((1, 3), np.float32))
    np.testing.assert_allclose(found, [WEIGHTS.sum(0)])
    assert found.dtype == np.float32


def test_a_bound_call_runs_its_own_sample_again_and_again():
    session = open_session(float_model().SerializeToString(), "onnx")
    x = np.array([[1, 2, 3]], np.float32)
    call = session.bind(x)
    for _ in range(3):
        call()
    (binding,) = call.args
    np.testing.assert_allclose(binding.copy_outputs_to_cpu()[0], x @ WEIGHTS + BIAS, rtol=1e-6)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_are_refused_with_one_clear_error(content):
    with pytest.raises(ModelFileError, match=r"not a whole ONNX file \(\d+ bytes\)"):
        read_parts(content, "onnx")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_truncated_file_is_refused(data):
    whole = float_model().SerializeToString()
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(ModelFileError, match=r"not a whole ONNX file|cannot load"):
        open_session(cut, "onnx")


def test_weights_kept_in_another_file_are_refused():
    model = float_model()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    with pytest.raises(ModelFileError, match=r"another file|weights\.bin"):
        read_parts(model.SerializeToString(), "onnx")


def test_a_model_with_two_inputs_takes_records():
    nodes = [helper.make_node("Add", ["x", "z"], ["y"])]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2]) for name in "xzy"]
    model = helper.make_model(
        helper.make_graph(nodes, "g", values[:2], values[2:]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    )
    onnx.checker.check_model(model)
    session = open_session(model.SerializeToString(), "onnx")
    assert session.input_names == ["x", "z"]
    pair = records({"z": np.array([[1, 2], [5, 5]], np.float64), "x": np.array([[10, 20], [0, 0]], np.float32)})
    assert session.invoke(pair).tolist() == [[11, 22], [5, 5]]
    session.bind(pair[:1])()
    with pytest.raises(DataError, match="takes x, z, and the samples have no fields"):
        session.invoke(np.zeros((1, 2), np.float32))


def test_an_operation_the_runtime_does_not_know_is_a_model_file_error():
    model = float_model()
    model.graph.node[0].domain = "nowhere"
    model.opset_import.append(helper.make_opsetid("nowhere", 1))
    with pytest.raises(ModelFileError, match="ONNX Runtime cannot load"):
        open_session(model.SerializeToString(), "onnx")


def test_running_and_reading_files_imports_neither_tensorflow_nor_keras():
    program = (
        "import sys; from compress.runtime.session import prepare\n"
        "for runtime in ('litert', 'onnx', 'keras'): prepare(runtime)\n"
        "print({'tensorflow', 'keras', 'tf_keras'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "set()"
