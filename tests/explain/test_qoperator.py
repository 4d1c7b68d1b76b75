"""Files in ONNX Runtime's QOperator form are explained like those in QDQ form: by value, not by the integers."""

import numpy as np
import pytest

from compress.explain.layer_errors import layer_errors
from compress.explain.samples import Samples
from compress.runtime.onnx_codes import scale_and_zero_point
from compress.runtime.onnx_graph import read_graph
from compress.runtime.taps import open_taps
from tests.explain.graphs import onnx_file

pytest.importorskip("onnxruntime")

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(12, 1, 2, 8, 8)).astype(np.float32)
NODES = [
    ("Conv", ["x", "k0", "b0"], "first", {"pads": [1, 1, 1, 1]}),
    ("Relu", ["first"], "relu", {}),
    ("Conv", ["relu", "k1"], "second", {"pads": [1, 1, 1, 1]}),
    ("MaxPool", ["second"], "pool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Reshape", ["pool", "shape"], "flat", {}),
    ("Gemm", ["flat", "k2", "b"], "hidden", {}),
    ("Relu", ["hidden"], "y", {}),
]
SHAPES = {"k0": (4, 2, 3, 3), "b0": (4,), "k1": (4, 4, 3, 3), "k2": (64, 5), "b": (5,)}


class Runs:
    def __init__(self):
        self.left = iter(X)

    def get_next(self):
        x = next(self.left, None)
        return None if x is None else {"x": x}


@pytest.fixture(scope="module", params=["QUInt8", "QInt8"])
def files(request, tmp_path_factory):
    """Return a float file and the same in QOperator form, with activations of either sign."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    folder = tmp_path_factory.mktemp("qoperator")
    constants = {name: GENERATOR.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}
    plain, quantized = folder / "plain.onnx", folder / "quantized.onnx"
    plain.write_bytes(onnx_file(NODES, constants | {"shape": np.array([1, 64], np.int64)}, (1, 2, 8, 8)))
    kind = getattr(QuantType, request.param)
    options = {"activation_type": kind, "weight_type": QuantType.QInt8, "per_channel": request.param == "QInt8"}
    quantize_static(plain, quantized, Runs(), quant_format=QuantFormat.QOperator, **options)
    return plain, quantized


def test_every_layer_is_compared_by_value(files):
    plain, quantized = files
    found = layer_errors(quantized, plain, "onnx", Samples((X,), "seeded"), 120)
    ratios = {one.name: one.sqnr_db for one in found.layers}
    assert list(ratios) == ["first", "relu", "second", "pool", "hidden", "y"]
    # a fused Relu is compared with the float file's, and the layer before it with nothing
    assert ratios.pop("first") is ratios.pop("hidden") is None
    assert all(25 < ratio < 60 for ratio in ratios.values())
    assert {one.name: one.then for one in found.layers if one.then} == {"first": "relu", "hidden": "y"}
    assert sorted(one.name for one in found.weights if one.name.startswith("k")) == ["k0", "k1", "k2"]
    assert all(one.sqnr_db > 30 for one in found.weights)


def test_integers_are_read_as_the_values_that_they_stand_for(files):
    plain, quantized = files
    content = quantized.read_bytes()
    graph = read_graph(content)
    codes = [name for name in graph.writers if name.endswith("_quantized")]
    assert len(codes) >= 5
    assert all(scale_and_zero_point(graph, name) is not None for name in codes)
    pool = next(node.name for node in graph.nodes if node.op == "MaxPool")
    (exact,) = open_taps(plain.read_bytes(), "onnx", ["pool"]).run([X[0]])
    (read,) = open_taps(content, "onnx", [pool]).run([X[0]])
    assert abs(exact - read).max() < 0.05 * np.ptp(exact)


def test_values_that_a_quantizer_replaced_are_no_tensors_of_the_file(files):
    graph = read_graph(files[1].read_bytes())
    assert set(graph.tensors) == {name for node in graph.nodes for name in (*node.inputs, *node.outputs) if name}


def test_codes_whose_scale_is_not_in_the_file_have_none(files):
    graph = read_graph(files[0].read_bytes())
    assert scale_and_zero_point(graph, "pool") is None
    assert scale_and_zero_point(graph, "x") is None
