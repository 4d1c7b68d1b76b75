"""Attention masks that integers can hold."""

from __future__ import annotations

import numpy as np
import pytest

from compress.errors import CompressError
from compress.quantization import masks
from compress.quantization.litert import write_litert
from compress.quantization.masks import BOUND, attention_masks, bound_masks
from compress.quantization.onnxruntime import write_onnx
from compress.records import records

WIDTH, LENGTH = 16, 8


@pytest.fixture(scope="module")
def masked():
    """Return a model of attention over padded sequences, 60 of them, and what it answers."""
    import keras

    keras.utils.set_random_seed(0)
    inputs = {
        "values": keras.Input((LENGTH, WIDTH), name="values"),
        "padding_mask": keras.Input((LENGTH,), dtype="int32", name="padding_mask"),
    }
    mask = keras.ops.expand_dims(inputs["padding_mask"], 1)
    attention = keras.layers.MultiHeadAttention(2, WIDTH, kernel_initializer="he_normal", name="attention")
    attended = attention(inputs["values"], inputs["values"], attention_mask=mask)
    model = keras.Model(inputs, attended)
    draw = np.random.default_rng(0)
    lengths = draw.integers(3, LENGTH, 60, endpoint=True)
    x = records(
        {
            "values": (2 * draw.standard_normal((60, LENGTH, WIDTH))).astype(np.float32),
            "padding_mask": (np.arange(LENGTH) < lengths[:, None]).astype(np.int32),
        }
    )
    return model, x, np.asarray(model({name: x[name] for name in inputs}))


def noise(masked, content, runtime):
    from compress.runtime.session import load_session

    _, x, exact = masked
    session = load_session(content, runtime)
    answers = np.concatenate([session.invoke(x[index : index + 1]) for index in range(len(x))])
    return float(((answers - exact) ** 2).mean() / (exact**2).mean())


@pytest.mark.parametrize(
    ("write", "options", "runtime"),
    [
        (write_litert, {}, "litert"),
        (write_litert, {"engine": "ai_edge"}, "litert"),
        (write_onnx, {}, "onnx"),
    ],
    ids=["converter", "ai_edge", "onnx"],
)
def test_int8_attends_by_bounded_masks_and_not_by_kept_ones(masked, write, options, runtime):
    model, x, _ = masked
    bounded, kept = (write(model, "int8", calibration=x, masks=masks, **options) for masks in ("bounded", "kept"))
    assert noise(masked, bounded, runtime) < 0.02
    assert noise(masked, kept, runtime) > 0.2


@pytest.mark.parametrize(("write", "runtime"), [(write_litert, "litert"), (write_onnx, "onnx")])
def test_float_files_keep_their_masks(masked, write, runtime):
    model, _, _ = masked
    assert noise(masked, write(model, "float32"), runtime) < 1e-10


def test_a_model_without_masks_is_written_alike():
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input((8,))
    model = keras.Model(image, keras.layers.Dense(4)(image))
    x = np.random.default_rng(0).standard_normal((20, 8)).astype(np.float32)
    assert write_litert(model, "int8", calibration=x) == write_litert(model, "int8", calibration=x, masks="kept")


@pytest.mark.parametrize("gone", ["keras.src.layers.activations.softmax.no_number", "keras.src.nowhere.number"])
def test_a_keras_that_masks_elsewhere_is_told_when_integers_are_asked_for(monkeypatch, masked, gone):
    model, x, _ = masked
    as_it_was = write_litert(model, "float32")
    monkeypatch.setattr(masks, "FUNCTIONS", (masks.FUNCTIONS[0], tuple(gone.rsplit(".", 1))))

    with pytest.raises(CompressError, match=rf"^Keras 3\.\d+\.\d+ has no {gone}: .*; install a Keras from 3\.10"):
        write_litert(model, "int8", calibration=x)
    assert write_litert(model, "float32") == as_it_was
    assert write_litert(model, "int8", calibration=x, masks="kept")


def test_keras_has_its_own_numbers_again_when_the_trace_is_over():
    from keras.src.layers.activations import softmax

    with attention_masks(bounded=True) as found:
        assert softmax._large_negative_number("float32") == BOUND
        assert found.masked
    assert softmax._large_negative_number("float32") < -1e8


def test_only_numbers_that_stand_for_minus_infinity_are_bounded():
    from onnx import TensorProto, helper, numpy_helper

    numbers = {"mask": -1e9, "bias": -3.0, "unused": -1e9}
    graph = helper.make_graph(
        [helper.make_node("Where", ["c", "x", "mask"], ["y"]), helper.make_node("Add", ["y", "bias"], ["z"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [1])],
        [numpy_helper.from_array(np.float32(value), name) for name, value in numbers.items()],
    )
    proto = helper.make_model(graph)
    bound_masks(proto)
    found = {tensor.name: float(numpy_helper.to_array(tensor)) for tensor in proto.graph.initializer}
    assert found == {"mask": BOUND, "bias": -3.0, "unused": -1e9}
