"""Our codes against those that TensorFlow's converter and ai-edge-quantizer write for LiteRT, tensor by tensor.

The converter rounds half away from zero, ai-edge-quantizer half to even; both compute in float32, we in float64. A code
may differ by one where the quotient is within float32 rounding of a tie, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from compress.quantization import (
    Float16,
    Parameters,
    PerBlock,
    PerChannel,
    Scheme,
    choose_parameters,
)
from tests.quantization.agreement import assert_same_codes, assert_same_quantization, assert_ties_are_rounded, weights

pytest.importorskip("tensorflow", reason="the litert extra is not installed")
pytest.importorskip("ai_edge_litert", reason="the litert extra is not installed")

CONVERTER = ["dynamic_range", "int8", "int16x8"]
KERNELS = {"Conv2D": "conv", "MatMul": "dense"}


class Tensor(NamedTuple):
    codes: NDArray[Any] | None
    scale: NDArray[np.float32]
    zero_point: NDArray[np.int32]


File = dict[str, Tensor]


def kernel(name: str) -> NDArray[np.float32]:
    """Return a kernel as LiteRT lays it out, output channels first: ``(out, h, w, in)`` and ``(out, in)``."""
    array = weights()[KERNELS[name]]
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1) if name == "Conv2D" else array.T)


def calibration() -> NDArray[np.float32]:
    return np.random.default_rng(1).standard_normal((10, 1, 9, 9, 8)).astype(np.float32)


def read(content: bytes) -> File:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # A delegate would hide the tensors that it takes over.
    interpreter = Interpreter(
        model_content=content, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    details = interpreter.get_tensor_details()
    interpreter.allocate_tensors()
    file = {}
    for detail in details:
        parameters = detail["quantization_parameters"]
        try:
            codes = interpreter.get_tensor(detail["index"])
        except ValueError:
            codes = None  # an activation that has no memory of its own
        file[detail["name"]] = Tensor(codes, parameters["scales"], parameters["zero_points"])
    return file


@pytest.fixture(scope="module")
def converted() -> Callable[[str], bytes]:
    import tensorflow as tf

    arrays = weights()
    conv = arrays["conv"].transpose(2, 3, 1, 0)

    class ConvDense(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, 9, 9, 8], tf.float32)])
        def __call__(self, x):
            features = tf.nn.relu(tf.nn.conv2d(x, conv, 1, "VALID") + arrays["conv_bias"])
            return tf.matmul(tf.reshape(features, [1, 512]), arrays["dense"]) + arrays["dense_bias"]

    module = ConvDense()
    ops = {
        "int8": tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
        "int16x8": tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
    }
    files: dict[str, bytes] = {}

    def convert(mode: str) -> bytes:
        if mode not in files:
            converter = tf.lite.TFLiteConverter.from_concrete_functions(
                [module.__call__.get_concrete_function()], module
            )
            if mode != "float32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if mode == "float16":
                converter.target_spec.supported_types = [tf.float16]
            if mode in ops:
                converter.representative_dataset = lambda: ([sample] for sample in calibration())
                converter.target_spec.supported_ops = [ops[mode]]
            files[mode] = converter.convert()
        return files[mode]

    return convert


@pytest.fixture(scope="module")
def by_ai_edge_quantizer(converted) -> Callable[[str], File]:
    from ai_edge_quantizer import quantizer, recipe

    def write(name: str) -> File:
        result = quantizer.Quantizer(converted("float32"), getattr(recipe, name)()).quantize()
        return read(bytes(result.quantized_model))

    return write


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("mode", CONVERTER)
def test_int8_weights_per_channel_agree_with_the_converter(converted, mode, name):
    scheme = Scheme(granularity=PerChannel(0), rounding="half_away")
    assert_same_quantization(*read(converted(mode))[name], kernel(name), scheme)


@pytest.mark.parametrize("mode", CONVERTER)
def test_the_converter_rounds_ties_away_from_zero(converted, mode):
    dense = read(converted(mode))["MatMul"].codes
    assert_ties_are_rounded("half_away", dense[0])


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize(
    ("recipe", "dtype"),
    [
        ("dynamic_wi8_afp32", "int8"),
        ("weight_only_wi8_afp32", "int8"),
        ("dynamic_wi4c_afp32", "int4"),
    ],
)
def test_weights_per_channel_agree_with_ai_edge_quantizer(by_ai_edge_quantizer, recipe, dtype, name):
    scheme = Scheme(dtype, granularity=PerChannel(0))
    assert_same_quantization(*by_ai_edge_quantizer(recipe)[name], kernel(name), scheme)


def test_ai_edge_quantizer_rounds_ties_to_even(by_ai_edge_quantizer):
    assert_ties_are_rounded("half_even", by_ai_edge_quantizer("dynamic_wi8_afp32")["MatMul"].codes[0])


def test_int4_weights_in_blocks_agree_at_the_scales_of_ai_edge_quantizer(by_ai_edge_quantizer):
    theirs = by_ai_edge_quantizer("dynamic_wi4b32_afp32")["MatMul"]
    scheme = Scheme("int4", granularity=PerBlock(32, axis=1))
    ours = choose_parameters(kernel("MatMul"), scheme)
    # Its blocks keep scales of 8 significant bits (bfloat16, stored as float16), hence within 2^-8 of ours.
    scale = theirs.scale.astype(np.float32).reshape(ours.scale.shape)
    np.testing.assert_allclose(scale, ours.scale, rtol=2.0**-8)
    assert (scale.view(np.uint32) & 0xFFFF == 0).all()
    assert_same_codes(theirs.codes, kernel("MatMul"), Parameters(scale, ours.zero_point, scheme))


@pytest.mark.parametrize("name", KERNELS)
def test_float16_weights_are_bit_for_bit_those_of_the_converter(converted, name):
    theirs = read(converted("float16"))[name].codes
    np.testing.assert_array_equal(theirs.view(np.uint16), Float16().cast(kernel(name)).values.view(np.uint16))


def test_an_asymmetric_int8_input_has_the_range_of_its_calibration(converted):
    theirs = read(converted("int8"))["tfl.quantize"]
    ours = choose_parameters(calibration(), Scheme("int8", symmetric=False))
    # The converter computes the step in float32.
    np.testing.assert_allclose(theirs.scale, ours.scale.ravel(), rtol=2.0**-22)
    assert theirs.zero_point == ours.zero_point.item()


def test_a_symmetric_int16_input_has_the_range_of_its_calibration(converted):
    theirs = next(tensor for name, tensor in read(converted("int16x8")).items() if name.endswith("x:0_int16"))
    ours = choose_parameters(calibration(), Scheme("int16"))
    np.testing.assert_allclose(theirs.scale, ours.scale.ravel(), rtol=2.0**-22)
    assert theirs.zero_point == 0


@pytest.mark.parametrize(
    ("bias", "name", "feed", "key"),
    [("Relu;add;Conv2D;add/y", "Conv2D", "tfl.quantize", "conv_bias"), ("add_1", "MatMul", "Reshape", "dense_bias")],
)
def test_biases_are_int32_at_the_product_of_both_scales(converted, bias, name, feed, key):
    file = read(converted("int8"))
    np.testing.assert_array_equal(file[bias].scale, file[feed].scale * file[name].scale)
    scheme = Scheme("int32", granularity=PerChannel(0), rounding="half_away")
    parameters = Parameters(file[bias].scale, np.zeros(file[bias].scale.shape, np.int32), scheme)
    assert_same_codes(file[bias].codes, weights()[key], parameters)
