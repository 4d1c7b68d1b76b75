"""Expected sizes: closed forms on small tensors, and the wrong implementations that the formula tells apart."""

import pytest

from benches.saxena2024.expected_size import FORMATS, Stored, stored_network, stored_tensor
from compress.artifact import Part

KERNEL = Part("fc.weights", "weights", "float32", 300 * 784, 4 * 300 * 784, 0, (300, 784))
BIAS = Part("fc.bias", "weights", "float32", 300, 1200, 0, (300,))
SMALL = Part("out.weights", "weights", "float32", 1000, 4000, 0, (10, 100))


@pytest.mark.parametrize(
    ("recipe", "kernel", "bias"),
    [
        ("float32", Stored(940_800, 0), Stored(1200, 0)),
        ("float16", Stored(470_400, 0), Stored(600, 0)),
        ("float16(engine=ai_edge)", Stored(470_400, 0), Stored(1200, 0)),
        ("dynamic_range", Stored(235_200, 300), Stored(1200, 0)),
        ("int8", Stored(235_200, 300), Stored(1200, 300)),
        ("int8(granularity=tensor)", Stored(235_200, 1), Stored(1200, 1)),
        ("int16x8", Stored(235_200, 300), Stored(2400, 300)),
    ],
)
def test_a_dense_layer_takes_what_its_elements_say(recipe, kernel, bias):
    assert stored_tensor(KERNEL, 300, FORMATS[recipe]) == kernel
    assert stored_tensor(BIAS, 300, FORMATS[recipe]) == bias


def test_the_converter_leaves_a_thousand_weights_in_float32_and_ai_edge_does_not():
    assert stored_tensor(SMALL, 10, FORMATS["dynamic_range"]) == Stored(4000, 0)
    assert stored_tensor(SMALL, 10, FORMATS["dynamic_range(engine=ai_edge)"]) == Stored(1000, 10)


def test_a_scale_takes_four_bytes():
    assert Stored(100, 10).bytes == 140


def test_only_integer_networks_have_a_scale_between_operations():
    assert stored_network([], 5, FORMATS["int8"]) == Stored(0, 6)
    assert stored_network([], 5, FORMATS["dynamic_range"]) == Stored(0, 0)


def test_a_network_is_the_sum_of_its_tensors():
    assert stored_network([KERNEL, BIAS], 1, FORMATS["int8"]) == Stored(236_400, 602)


def test_skipped_quantization_and_per_tensor_scales_would_show():
    expected = stored_network([KERNEL, BIAS, SMALL], 3, FORMATS["int8"]).bytes
    assert stored_network([KERNEL, BIAS, SMALL], 3, FORMATS["float32"]).bytes != expected
    assert stored_network([KERNEL, BIAS, SMALL], 3, FORMATS["int8(granularity=tensor)"]).bytes != expected
