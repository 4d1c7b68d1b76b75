"""A file's multiply-adds are those of the network it was written from, whatever the format and storage type."""

import numpy as np
import pytest

from compress.pruning.multiply_adds import multiply_adds as of_network
from compress.recipe import Recipe
from compress.runtime.multiply_adds import Operation, _cost, multiply_adds
from compress.subject import Dataset
from fixtures.mnist_models import PARAMETERS

BY_HAND = {
    "mnist_cnn": 26 * 26 * 3 * 3 * 12 + 13 * 13 * 12 * 10,
    "lenet_300_100": 784 * 300 + 300 * 100 + 100 * 10,
    "lenet_5": 24 * 24 * 5 * 5 * 20 + 8 * 8 * 5 * 5 * 20 * 50 + 4 * 4 * 50 * 500 + 500 * 10,
}
RECIPES = ["float32", "dynamic_range", "float16", "int8(10)", "float32@onnx", "dynamic_range@onnx", "int8(10)@onnx"]


def noise(shape):
    x = np.random.default_rng(0).random((10, *shape), np.float32)
    return Dataset("noise", x, np.zeros(10, np.int64), x.copy(), np.zeros(10, np.int64))


def file_of(model, text):
    recipe = Recipe.parse(text)
    content = recipe.export.export(model, noise(model.input_shape[1:]), runtime=recipe.runtime, seed=0)
    return multiply_adds(content, recipe.runtime)


@pytest.mark.parametrize("build", PARAMETERS, ids=lambda build: build.__name__)
def test_the_mnist_networks_and_their_files_have_the_multiply_adds_counted_by_hand(build):
    model = build()
    expected = BY_HAND[build.__name__]
    assert of_network(model) == expected
    assert {text: file_of(model, text) for text in ("float32", "float32@onnx")} == dict.fromkeys(
        ("float32", "float32@onnx"), expected
    )


def every_kind():
    """Return a network of every layer that is counted, strided, dilated and with a depth multiplier."""
    import keras

    layers = keras.layers
    image = keras.Input((12, 12, 4))
    x = layers.Conv2D(6, 3, strides=2, padding="same")(image)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.SeparableConv2D(8, 3, padding="same")(x)
    x = layers.Conv2D(8, 3, padding="same", dilation_rate=2, activation="relu")(x)
    x = layers.Conv2D(4, 1)(x)
    x = layers.Conv2DTranspose(3, 3, strides=2, padding="same")(x)
    x = layers.Dense(5)(x)
    return keras.Model(image, layers.Dense(2)(layers.Flatten()(x)))


@pytest.mark.parametrize("text", RECIPES)
def test_every_kind_of_layer_and_storage_type_is_counted(text):
    expected = (
        6 * 6 * 9 * 4 * 6
        + 4 * 4 * 9 * 12
        + 4 * 4 * (9 * 12 + 12 * 8)
        + 4 * 4 * 9 * 8 * 8
        + 4 * 4 * 8 * 4
        + 4 * 4 * 9 * 4 * 3
        + 8 * 8 * 3 * 5
        + 8 * 8 * 5 * 2
    )
    model = every_kind()
    assert of_network(model) == expected
    assert file_of(model, text) == expected


@pytest.mark.parametrize(
    ("name", "inputs", "output", "expected"),
    [
        ("Conv", [(1, 8, 4, 4), (6, 4, 1, 1)], (1, 6, 4, 4), 16 * 6 * 4),
        ("CONV_2D", [(1, 4, 4, 8), (6, 1, 1, 4)], (1, 4, 4, 6), 16 * 6 * 4),
        ("BATCH_MATMUL", [(2, 5, 3), (2, 3, 7)], (2, 5, 7), 210),
        ("BATCH_MATMUL", [(2, 5, 3), (2, 7, 3)], (2, 5, 7), 210),
        ("Gemm", [(3, 5), (7, 3)], (5, 7), 105),
        ("MatMul", [(2, 5, 3), (3, 7)], (2, 5, 7), 210),
        ("MatMul", [(5, 3), (3,)], (5,), 15),
        ("QLinearMatMul", [(5, 3), (), (), (3, 7)], (5, 7), 105),
        ("MatMulInteger", [(5, 3), None], (5, 7), None),
        ("Relu", [(5, 3)], (5, 3), 0),
    ],
)
def test_an_operation_costs_what_is_summed_for_each_of_its_outputs(name, inputs, output, expected):
    assert _cost(Operation(name, tuple(inputs), (output,))) == expected


def test_a_weight_file_has_no_operations_to_count():
    assert multiply_adds(b"weights", "keras") is None
