import numpy as np
import pytest

from compress.quantization.float_layers import float_scopes
from compress.quantization.litert import write_litert
from compress.quantization.onnxruntime import write_onnx
from compress.runtime.litert import load_session
from compress.runtime.session import read_graph

keras = pytest.importorskip("keras")


@keras.saving.register_keras_serializable(package="tests")
class Area(keras.layers.Layer):
    """Operations that every engine quantizes; those in the middle read and write none that is not the layer's."""

    stays_float = True

    def call(self, x):
        return keras.ops.sigmoid(x * x) * x


@keras.saving.register_keras_serializable(package="tests")
class Decoded(keras.layers.Layer):
    """A head's large numbers and its small ones, each cut out, as boxes are decoded."""

    stays_float = True

    def call(self, x):
        rows = keras.ops.reshape(x, (-1, 64, 4))
        sizes = keras.ops.exp(keras.ops.minimum(rows[..., 2:], 8.0))
        return keras.ops.concatenate([keras.ops.sigmoid(rows[..., :2]), sizes], axis=-1)


@pytest.fixture(scope="module")
def model():
    image = keras.Input((8, 8, 3), name="image")
    x = keras.layers.Conv2D(16, 3, activation="relu", name="conv")(image)
    x = Area(name="area")(x)
    return keras.Model(image, keras.layers.Dense(8, name="dense")(keras.layers.Flatten(name="flat")(x)), name="boxes")


SAMPLES = np.random.default_rng(0).normal(size=(20, 8, 8, 3)).astype(np.float32)


def dtypes(content, runtime, op):
    """Return the types that operations `op` of a file compute with, through the integers' conversions."""
    graph = read_graph(content, runtime)
    found = set()
    for node in graph.nodes:
        if node.op == op:
            for name in node.inputs:
                writer = graph.writers.get(name)
                stored = "int" if writer is not None and writer.op == "DequantizeLinear" else graph.dtype(name)
                found.add(stored)
    return found


@pytest.mark.parametrize("engine", ["converter", "ai_edge"])
@pytest.mark.parametrize("float_layers", ["kept", "quantized"])
def test_litert_leaves_marked_layers_float_and_quantizes_the_others(model, engine, float_layers):
    content = write_litert(model, "int8", engine=engine, calibration=SAMPLES, float_layers=float_layers)
    assert dtypes(content, "litert", "LOGISTIC") == {"float32" if float_layers == "kept" else "int8"}
    assert "int8" in dtypes(content, "litert", "CONV_2D")
    assert "int8" in dtypes(content, "litert", "FULLY_CONNECTED")


@pytest.mark.parametrize("float_layers", ["kept", "quantized"])
def test_onnx_leaves_marked_layers_float_and_quantizes_the_others(model, float_layers):
    content = write_onnx(model, "int8", calibration=SAMPLES, float_layers=float_layers)
    assert ("int" in dtypes(content, "onnx", "Sigmoid")) == (float_layers == "quantized")
    assert "int" in dtypes(content, "onnx", "Conv")


@pytest.mark.parametrize("engine", ["converter", "ai_edge"])
def test_what_a_float_layer_cuts_out_does_not_clip_what_it_was_cut_from(engine):
    image = keras.Input((8, 8, 3), name="image")
    head = keras.layers.Conv2D(4, 1, name="head")
    model = keras.Model(image, Decoded(name="decoded")(head(image)))
    kernel = np.random.default_rng(1).normal(size=(1, 1, 3, 4)).astype(np.float32)
    head.set_weights([kernel * np.float32([5, 5, 0.02, 0.02]), np.zeros(4, np.float32)])
    content = write_litert(model, "int8", engine=engine, calibration=SAMPLES)

    session = load_session(content, 1)
    expected = model.predict(SAMPLES[:4], verbose=0)
    np.testing.assert_allclose(session.invoke(SAMPLES[:4]), expected, atol=0.1)
    graph = read_graph(content, "litert")
    assert {graph.dtype(name) for name in graph.outputs} == {"float32"}


def test_a_model_without_such_layers_has_no_scopes(model):
    plain = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    assert float_scopes(plain) is None
    scopes = float_scopes(model)
    assert scopes.search("boxes_1/area_1/mul")
    assert not scopes.search("boxes_1/areas/mul")
