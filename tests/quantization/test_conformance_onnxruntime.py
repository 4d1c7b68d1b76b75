"""Our codes against those that ONNX Runtime writes, tensor by tensor.

ONNX Runtime rounds half to even and divides in float32 by a float32 scale; we divide in float64. A code may differ by
one where the quotient is within float32 rounding of a tie, and nowhere else.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from compress.quantization import (
    Float16,
    Parameters,
    PerChannel,
    Scheme,
    choose_parameters,
    pack_nibbles,
)
from tests.quantization.agreement import assert_same_codes, assert_same_quantization, assert_ties_are_rounded, weights

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

Tensors = dict[str, NDArray]


def calibration() -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal((10, 1, 8, 9, 9)).astype(np.float32)


@pytest.fixture(scope="module")
def float32_file(tmp_path_factory) -> Path:
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Conv", ["x", "conv", "conv_bias"], ["features"]),
        helper.make_node("Relu", ["features"], ["positive"]),
        helper.make_node("Flatten", ["positive"], ["flat"]),
        helper.make_node("Gemm", ["flat", "dense", "dense_bias"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "conv_dense",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8, 9, 9])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 40])],
        [numpy_helper.from_array(array, name) for name, array in weights().items()],
    )
    path = tmp_path_factory.mktemp("onnx") / "float32.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def tensors_of(path: Path) -> Tensors:
    from onnx import numpy_helper

    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


@pytest.fixture(scope="module")
def dynamic_file(float32_file):
    from onnxruntime.quantization import QuantType, quantize_dynamic

    def write(weight_type: str, per_channel: bool) -> Tensors:
        path = float32_file.with_name(f"dynamic-{weight_type}-{per_channel}.onnx")
        quantize_dynamic(float32_file, path, per_channel=per_channel, weight_type=QuantType[weight_type])
        return tensors_of(path)

    return write


@pytest.fixture(scope="module")
def static_file(float32_file):
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Samples(CalibrationDataReader):
        def __init__(self) -> None:
            self.samples = iter(calibration())

        def get_next(self):
            sample = next(self.samples, None)
            return None if sample is None else {"x": sample}

    def write(activation_type: str, weight_type: str = "QInt8") -> Tensors:
        path = float32_file.with_name(f"static-{activation_type}-{weight_type}.onnx")
        quantize_static(
            float32_file,
            path,
            Samples(),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType[activation_type],
            weight_type=QuantType[weight_type],
        )
        return tensors_of(path)

    return write


def quantized(tensors: Tensors, name: str) -> tuple[NDArray, NDArray, NDArray]:
    return tensors[f"{name}_quantized"], tensors[f"{name}_scale"], tensors[f"{name}_zero_point"]


def test_dynamic_int8_weights_per_channel_agree(dynamic_file):
    tensors = dynamic_file("QInt8", per_channel=True)
    assert_same_quantization(*quantized(tensors, "dense"), weights()["dense"], Scheme(granularity=PerChannel(1)))


def test_dynamic_int8_leaves_convolutions_per_tensor_and_they_agree(dynamic_file):
    tensors = dynamic_file("QInt8", per_channel=True)
    assert_same_quantization(*quantized(tensors, "conv"), weights()["conv"], Scheme())


@pytest.mark.parametrize("name", ["conv", "dense"])
def test_dynamic_uint8_weights_per_tensor_agree(dynamic_file, name):
    tensors = dynamic_file("QUInt8", per_channel=False)
    assert_same_quantization(*quantized(tensors, name), weights()[name], Scheme("uint8", symmetric=False))


@pytest.mark.parametrize(("name", "axis"), [("conv", 0), ("dense", 1)])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_static_weights_per_channel_agree(static_file, name, axis, dtype):
    tensors = static_file(*{"int8": ("QUInt8", "QInt8"), "int16": ("QInt16", "QInt16")}[dtype])
    scheme = Scheme(dtype, granularity=PerChannel(axis))
    assert_same_quantization(*quantized(tensors, name), weights()[name], scheme)


def test_ties_are_rounded_half_to_even(static_file):
    tensors = static_file("QUInt8")
    assert_ties_are_rounded("half_even", tensors["conv_quantized"][0])
    assert_ties_are_rounded("half_even", tensors["dense_quantized"][:, 0])


@pytest.mark.parametrize(("activation", "dtype"), [("QUInt8", "uint8"), ("QInt8", "int8"), ("QInt16", "int16")])
def test_the_input_range_of_calibration_gives_our_scale_and_zero_point(static_file, activation, dtype):
    tensors = static_file(activation)
    ours = choose_parameters(calibration(), Scheme(dtype, symmetric=False))
    assert tensors["x_scale"] == np.float32(ours.scale.item())
    assert tensors["x_zero_point"] == ours.zero_point.item()


@pytest.mark.parametrize(("name", "feed"), [("conv", "x"), ("dense", "positive")])
def test_biases_are_int32_at_the_product_of_both_scales(static_file, name, feed):
    tensors = static_file("QUInt8")
    scale = tensors[f"{name}_bias_quantized_scale"]
    np.testing.assert_array_equal(scale, tensors[f"{feed}_scale"] * tensors[f"{name}_scale"])
    parameters = Parameters(scale, np.zeros(scale.shape, np.int32), Scheme("int32", granularity=PerChannel(0)))
    assert_same_codes(tensors[f"{name}_bias_quantized"], weights()[f"{name}_bias"], parameters)


def test_float16_agrees_bit_for_bit_but_where_nonzero_values_are_kept_from_zero():
    from onnxruntime.transformers.float16 import convert_np_to_float16

    rng = np.random.default_rng(0)
    x = (rng.standard_normal(20_000) * 10.0 ** rng.uniform(-10, 7, 20_000)).astype(np.float32)
    ours, theirs = Float16("saturate").cast(x), convert_np_to_float16(x)
    # Their converter lifts what is below 5.96e-8, the smallest subnormal, to it.
    lifted = (np.abs(x) < 5.96e-8) & (x != 0)
    np.testing.assert_array_equal(ours.values[~lifted].view(np.uint16), theirs[~lifted].view(np.uint16))
    assert (np.abs(theirs[lifted]) == np.float16(2.0**-24)).all()
    assert ours.overflowed > 100
    assert 100 < ours.flushed <= lifted.sum()


@pytest.mark.parametrize("dtype", ["INT4", "UINT4"])
def test_nibbles_are_packed_as_onnx_packs_them(dtype):
    from onnx import TensorProto, helper, numpy_helper

    codes = np.arange(-8, 7, dtype=np.int8) if dtype == "INT4" else np.arange(15, dtype=np.uint8)
    native = helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(dtype))
    tensor = numpy_helper.from_array(codes.astype(native), "codes")
    assert pack_nibbles(codes).tobytes() == tensor.raw_data
