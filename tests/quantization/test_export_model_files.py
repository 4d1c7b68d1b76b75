"""A model that comes as a file is exported from that file; what cannot be made of it is refused in words."""

import numpy as np
import pytest

from compress.errors import RecipeError
from compress.model_file import open_model_file
from compress.recipe import Recipe
from compress.runtime.session import open_session, read_parts
from compress.subject import Dataset
from tests.own_models import SAMPLES, SHAPE


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    x = generator.random((SAMPLES, *SHAPE), np.float32)
    y = np.zeros(SAMPLES, np.int64)
    return Dataset("noise", x, y, x[:10].copy(), y[:10])


def export(models, name, text, data):
    recipe = Recipe.parse(text)
    return recipe.export.export(open_model_file(models / name), data, runtime=recipe.runtime, seed=0), recipe.runtime


def run(content, runtime, x):
    return open_session(content, runtime).invoke(x)


@pytest.mark.parametrize(("name", "text"), [("small.tflite", "float32"), ("small.onnx", "float32@onnx")])
def test_float32_is_the_file_itself(models, data, name, text):
    assert export(models, name, text, data)[0] == (models / name).read_bytes()


@pytest.mark.parametrize("name", ["small.tflite", "small.onnx", "small"])
@pytest.mark.parametrize("step", ["float16", "dynamic_range", "int8(20)", "int16x8(20)"])
def test_a_quantized_file_answers_nearly_as_the_file_it_came_from(models, data, name, step):
    text = f"{step}@onnx" if name == "small.onnx" else step
    reference = run((models / "small.tflite").read_bytes(), "litert", data.evaluation_x)
    content, runtime = export(models, name, text, data)
    found = run(content, runtime, data.evaluation_x)
    np.testing.assert_allclose(found, reference, atol=0.03)
    weights = [part for part in read_parts(content, runtime) if part.kind == "weights" and len(part.shape) >= 2]
    kept = {"float16": {"float16"}, "dynamic_range": {"int8", "float32"}}.get(step, {"int8"})
    assert {part.dtype for part in weights} <= kept
    # LiteRT's converter leaves kernels of fewer than 1,024 elements, of which this model has one
    assert any(part.dtype != "float32" for part in weights) or (name == "small" and step == "dynamic_range")


def test_a_saved_model_becomes_onnx_as_keras_own_export_does(models, data):
    content, runtime = export(models, "small", "float32@onnx", data)
    reference = run((models / "small.onnx").read_bytes(), "onnx", data.evaluation_x)
    np.testing.assert_allclose(run(content, runtime, data.evaluation_x), reference, atol=1e-5)


def test_a_tflite_file_without_a_signature_and_names_is_quantized_too(models, data, tmp_path):
    import flatbuffers
    from ai_edge_litert.schema_py_generated import ModelT

    bare = ModelT.InitFromPackedBuf((models / "small.tflite").read_bytes(), 0)
    bare.signatureDefs = None
    builder = flatbuffers.Builder(1024)
    builder.Finish(bare.Pack(builder), b"TFL3")
    (tmp_path / "bare.tflite").write_bytes(bytes(builder.Output()))
    content, _ = export(tmp_path, "bare.tflite", "int8(20)", data)
    again, _ = export(models, "small.tflite", "int8(20)", data)
    np.testing.assert_array_equal(run(content, "litert", data.evaluation_x), run(again, "litert", data.evaluation_x))


def test_an_old_onnx_file_that_lists_its_constants_as_inputs_is_quantized_too(models, data, tmp_path):
    import onnx

    proto = onnx.load(models / "small.onnx")
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    for tensor in proto.graph.initializer:
        constant = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        proto.graph.input.insert(0, constant)
    onnx.save(proto, tmp_path / "old.onnx")
    content, _ = export(tmp_path, "old.onnx", "int8(20)@onnx", data)
    again, _ = export(models, "small.onnx", "int8(20)@onnx", data)
    np.testing.assert_array_equal(run(content, "onnx", data.evaluation_x), run(again, "onnx", data.evaluation_x))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("small.tflite", "float32@onnx", "a .tflite model is written for @litert, not for @onnx"),
        ("small.onnx", "int8(20)", "a .onnx model is written for @onnx, not for @litert"),
        ("small", "float32@keras", "needs a Keras model"),
        ("small.onnx", "checkpoint@keras", "needs a Keras model"),
    ],
)
def test_a_file_for_another_runtime_is_refused_with_the_reason(models, data, name, text, said):
    with pytest.raises(RecipeError, match=said):
        export(models, name, text, data)


@pytest.mark.parametrize("name", ["small.tflite", "small.onnx", "small"])
def test_exporting_leaves_the_model_as_it_was(models, data, name):
    model = open_model_file(models / name)
    before = model.digest()
    export(models, name, "float16@onnx" if name == "small.onnx" else "float16", data)
    assert model.digest() == before


def test_a_bias_that_is_stored_as_a_row_is_quantized_as_a_vector_is(tmp_path, data):
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(0)
    kernel, bias = rng.normal(size=(64, 6)).astype(np.float32), rng.normal(size=6).astype(np.float32)
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n]) for name, n in (("x", 64), ("y", 6))]
    nodes = [helper.make_node("MatMul", ["x", "kernel"], ["sums"]), helper.make_node("Add", ["sums", "bias"], ["y"])]
    found = {}
    for shape in ((6,), (1, 6)):
        constants = [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(bias.reshape(shape), "bias")]
        graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], constants)
        onnx.save(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "row.onnx"
        )
        x = data.train_x.reshape(len(data.train_x), -1)
        flat = Dataset("flat", x, data.train_y, x[:10].copy(), data.train_y[:10])
        found[shape], _ = export(tmp_path, "row.onnx", "int8(40)@onnx", flat)
    assert found[1, 6] == found[6,]
    np.testing.assert_allclose(run(found[1, 6], "onnx", x), x @ kernel + bias, atol=0.2)
