"""What was left in float is float when the file is run, too, whatever ONNX Runtime's optimizers would make of it."""

import numpy as np
import pytest

from compress.explain.onnx_layers import ONNXLayers
from compress.quantization.onnx_kept_float import keep_float
from tests.explain.graphs import onnx_file

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(20, 1, 2, 8, 8)).astype(np.float32)
LAYERS = ("first", "second", "last")


def weights():
    """Return kernels and biases of two convolutions and a Gemm; each kernel has an outlier that few values meet."""
    found = {
        "k0": GENERATOR.normal(size=(4, 2, 3, 3)),
        "k1": GENERATOR.normal(size=(4, 4, 3, 3)),
        "k2": GENERATOR.normal(size=(64, 5)),
        "b": GENERATOR.normal(size=5),
        "b0": GENERATOR.normal(size=4),
    }
    for name in ("k0", "k1", "k2"):
        found[name].flat[0] = 20
    return {name: one.astype(np.float32) for name, one in found.items()} | {"shape": np.array([1, 64], np.int64)}


@pytest.fixture(scope="module")
def layers():
    """Return the layers of Conv, Relu, Conv, MaxPool, Reshape, Gemm, Softmax: two stand where theirs would be moved."""
    nodes = [
        ("Conv", ["x", "k0", "b0"], "first", {"pads": [1, 1, 1, 1]}),
        ("Relu", ["first"], "relu", {}),
        ("Conv", ["relu", "k1"], "second", {"pads": [1, 1, 1, 1]}),
        ("MaxPool", ["second"], "pool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Reshape", ["pool", "shape"], "flat", {}),
        ("Gemm", ["flat", "k2", "b"], "last", {}),
        ("Softmax", ["last"], "y", {}),
    ]
    made = ONNXLayers(onnx_file(nodes, weights(), (1, 2, 8, 8)), "int8")
    made.calibrate([(x,) for x in X])
    yield made
    made._folder.cleanup()  # which the process of a sweep leaves to its end


def answers(content, level):
    options = ort.SessionOptions()
    options.graph_optimization_level = level
    session = ort.InferenceSession(content, options)
    return np.concatenate([session.run(None, {"x": x})[0] for x in X])


def logits(content):
    """Return the file with what its softmax reads as its output."""
    model = onnx.load_model_from_string(content)
    (softmax,) = (node for node in model.graph.node if node.op_type == "Softmax")
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info(softmax.input[0], 1, None))
    return model.SerializeToString()


@pytest.mark.parametrize("kept", [("first",), ("second",), ("last",), LAYERS, ()])
def test_a_file_answers_the_same_however_much_it_is_optimized(layers, kept):
    content = logits(layers.write(kept))
    plain, optimized = (
        answers(content, level)
        for level in (ort.GraphOptimizationLevel.ORT_DISABLE_ALL, ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
    )
    # a step of 8 bits more or less, where a sum was rounded in another order
    assert np.abs(plain - optimized).max() <= np.ptp(plain) / 150


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_in_float_is_held_and_no_other(layers, layer):
    def held(content):
        model = onnx.load_model_from_string(content)
        onnx.checker.check_model(model)
        return [node.input[0] for node in model.graph.node if node.op_type == "Sum"]

    behind = {"first": "relu", "second": "second", "last": "last"}
    assert held(layers.write([layer])) == [behind[layer]]
    assert held(layers.write_only(layer)) == [behind[one] for one in LAYERS if one != layer]
    assert held(layers.write([])) == []


def test_a_model_without_any_quantized_value_is_left_as_it_is():
    model = onnx.load_model_from_string(onnx_file([("Gemm", ["x", "k2"], "y", {})], weights(), (1, 64)))
    before = model.SerializeToString()
    assert keep_float(model) == []
    assert model.SerializeToString() == before
