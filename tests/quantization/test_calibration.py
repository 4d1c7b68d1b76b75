"""What int8 files are calibrated with, and what a file's scales say of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import onnx
import pytest
from ai_edge_litert.interpreter import Interpreter
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import numpy_helper

from compress.errors import DataError, RecipeError
from compress.quantization.calibration import BINS, PERCENTILE, calibration_inputs, percentile_range
from compress.quantization.export import Int8
from compress.recipe import Recipe
from compress.runtime.session import open_session
from compress.subject import Dataset

WRITERS = {"converter": ("litert", "converter"), "ai_edge": ("litert", "ai_edge"), "onnx": ("onnx", "converter")}
writers = pytest.mark.parametrize("writer", WRITERS)
percentile_writers = pytest.mark.parametrize("writer", ["ai_edge", "onnx"])


def written(model, data, writer, **fields):
    runtime, engine = WRITERS[writer]
    return Int8(engine=engine, **fields).export(model, data, runtime=runtime, seed=0)


@pytest.fixture(scope="module")
def cnn(model_of, data_of):
    @cache
    def export(writer, **fields):
        return written(model_of("cnn"), data_of("cnn"), writer, **fields)

    return export


def activation_scales(content, writer):
    """Return the scale of every int8 activation in the order that they are computed in, the input's first."""
    if writer == "onnx":
        graph = onnx.load_model_from_string(content).graph
        constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        quantizers = [node for node in graph.node if node.op_type == "QuantizeLinear"]
        return np.array([float(constants[node.input[1]]) for node in quantizers])
    tensors = Interpreter(model_content=content).get_tensor_details()
    return np.array(
        [
            one["quantization"][0]
            for one in tensors
            if one["dtype"] == np.int8 and len(one["quantization_parameters"]["scales"]) == 1
        ]
    )


def largest_error(content, writer, float_outputs):
    """Return the largest error as a fraction of the outputs' range."""
    x, expected = float_outputs("cnn")
    found = open_session(content, WRITERS[writer][0]).invoke(x)
    return np.abs(found - expected).max() / np.ptp(expected)


def spread(low, high):
    """Return data whose training inputs span `low` to `high` and whose evaluation inputs are NaN."""
    x = np.linspace(low, high, 600 * 4, dtype=np.float32).reshape(600, 2, 2)
    labels = np.zeros(600, np.int64)
    return Dataset("spread", x, labels, np.full_like(x, np.nan), labels.copy())


def test_training_inputs_are_those_that_the_data_set_draws():
    data = spread(-1, 2)
    np.testing.assert_array_equal(calibration_inputs(data, "training", 7, 3), data.calibration(7, 3))


@pytest.mark.parametrize("samples", [1, 100, 500])
def test_noise_has_the_inputs_shape_and_fills_the_training_inputs_range(samples):
    data = spread(-1, 2)
    noise = calibration_inputs(data, "noise", samples, 0)
    assert (noise.shape, noise.dtype) == ((samples, 2, 2), np.float32)
    assert noise.min() >= -1
    assert noise.max() <= 2
    if samples > 1:
        assert np.ptp(noise) > 2.9
        assert abs(noise.mean() - 0.5) < 4 * 3 / np.sqrt(12 * noise.size)


def test_noise_is_drawn_by_the_seed():
    data = spread(0, 1)
    first, again, other = (calibration_inputs(data, "noise", 5, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.isin(first, other).any()


def test_unscaled_inputs_are_the_same_samples_as_pixels_of_255():
    data = spread(0, 1)
    np.testing.assert_array_equal(calibration_inputs(data, "unscaled", 9, 4), data.calibration(9, 4) * np.float32(255))
    assert calibration_inputs(data, "unscaled", 9, 4).dtype == np.float32


@pytest.mark.parametrize("inputs", ["training", "noise", "unscaled"])
def test_no_evaluation_input_is_ever_drawn(inputs):
    assert np.isfinite(calibration_inputs(spread(0, 1), inputs, 500, 0)).all()


def test_more_training_samples_than_there_are_is_an_error():
    with pytest.raises(DataError, match="cannot draw 601 of 600"):
        calibration_inputs(spread(0, 1), "unscaled", 601, 0)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30_000), st.floats(0.01, 100), st.floats(-1000, 1000))
def test_a_percentile_range_is_the_values_own_to_a_bin(seed, size, scale, shift):
    values = np.random.default_rng(seed).standard_t(2, size) * scale + shift
    low, high = values.min(), values.max()
    counts, _ = np.histogram(values, BINS, (low, high))
    found = percentile_range(counts, low, high)
    tails = ((100 - PERCENTILE) / 2, 100 - (100 - PERCENTILE) / 2)
    exact = np.percentile(values, tails, method="inverted_cdf")
    bin_width, rounding = (high - low) / BINS, 1e-9 * max(1, abs(low), abs(high))
    assert low - rounding <= found[0] <= exact[0] + rounding
    assert exact[1] - rounding <= found[1] <= high + rounding
    np.testing.assert_allclose(found, exact, rtol=0, atol=bin_width + rounding)


def test_a_percentile_range_of_one_value_is_that_value():
    counts, _ = np.histogram(np.full(50, 3.0), BINS, (3.0, 3.0))
    assert percentile_range(counts, 3.0, 3.0) == (3.0, 3.0)


@writers
def test_unscaled_calibration_widens_every_activation_and_outputs_collapse(cnn, float_outputs, writer):
    proper, mistaken = cnn(writer), cnn(writer, inputs="unscaled")
    wider = activation_scales(mistaken, writer) / activation_scales(proper, writer)
    assert len(wider) >= 6
    assert wider[0] == pytest.approx(255, rel=1e-3)
    assert ((wider > 230) & (wider < 270)).all()  # biases are not multiplied
    assert largest_error(proper, writer, float_outputs) < 0.05
    assert largest_error(mistaken, writer, float_outputs) > 0.5


@writers
def test_noise_calibration_has_the_inputs_scale_and_other_ranges_behind_it(cnn, writer):
    proper, noisy = activation_scales(cnn(writer), writer), activation_scales(cnn(writer, inputs="noise"), writer)
    assert noisy[0] == pytest.approx(proper[0], rel=1e-2)
    assert not np.allclose(noisy, proper, rtol=1e-3)


@percentile_writers
def test_percentile_ranges_lie_within_the_extremes(cnn, float_outputs, writer):
    extremes = activation_scales(cnn(writer), writer)
    content = cnn(writer, ranges="percentile")
    narrower = activation_scales(content, writer) / extremes
    assert (narrower <= 1 + 1e-6).all()
    assert 0.8 < narrower.min() < 0.97
    assert largest_error(content, writer, float_outputs) < 0.05


@percentile_writers
def test_one_pixel_that_is_out_of_line_sets_the_extremes_and_no_percentile(model_of, data_of, writer):
    plain = data_of("cnn")
    drawn = (plain.train_x == plain.calibration(100, 0)[0]).all(axis=(1, 2, 3))
    x = plain.train_x.copy()
    x[drawn, 5, 5, 0] = 50
    spiked = replace(plain, train_x=x)
    scales = {
        ranges: activation_scales(written(model_of("cnn"), spiked, writer, ranges=ranges), writer)[0]
        for ranges in ("min_max", "percentile")
    }
    assert scales["min_max"] == pytest.approx(50 / 255, rel=1e-3)
    assert scales["percentile"] == pytest.approx(1 / 255, rel=0.05)


@percentile_writers
def test_one_sample_is_enough_for_a_percentile(model_of, data_of, writer):
    scales = activation_scales(
        written(model_of("mlp"), data_of("mlp"), writer, calibration=1, ranges="percentile"), writer
    )
    assert (scales > 0).all()


@percentile_writers
def test_outputs_that_hardly_differ_have_a_percentile(data_of, writer):
    import keras

    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, activation="softmax")])
    model.set_weights([np.full((64, 10), 1e-7, np.float32), np.arange(10, dtype=np.float32) * 1e-6])
    content = written(model, data_of("mlp"), writer, calibration=5, ranges="percentile")
    x = data_of("mlp").train_x[:3]
    np.testing.assert_allclose(open_session(content, WRITERS[writer][0]).invoke(x), 0.1, atol=0.01)


def test_onnx_percentiles_hold_one_samples_activations_at_a_time(model_of, data_of, monkeypatch):
    from onnxruntime.quantization.calibrate import HistogramCollector

    held = []
    collect = HistogramCollector.collect

    def watched(self, activations):
        held.append({len(samples) for samples in activations.values()})
        return collect(self, activations)

    monkeypatch.setattr(HistogramCollector, "collect", watched)
    written(model_of("mlp"), data_of("mlp"), "onnx", calibration=20, ranges="percentile")
    assert held == [{1}] * 20


@percentile_writers
def test_percentiles_give_two_models_of_the_same_weights_the_same_bytes(cnn, another_model_of, data_of, writer):
    again = written(another_model_of("cnn"), data_of("cnn"), writer, ranges="percentile")
    assert again == cnn(writer, ranges="percentile")


def test_the_tensorflow_converter_refuses_percentiles_and_names_the_engine_that_takes_them(model_of, data_of):
    with pytest.raises(RecipeError, match=r"int8\(ranges=percentile\).*use engine=ai_edge"):
        written(model_of("mlp"), data_of("mlp"), "converter", ranges="percentile")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("inputs", "test", "inputs must be one of training, noise, unscaled, got 'test'"),
        ("ranges", "entropy", "ranges must be one of min_max, percentile, got 'entropy'"),
    ],
)
def test_a_bad_word_is_named_when_the_step_is_made(field, value, message):
    with pytest.raises(RecipeError, match=message):
        Int8(**{field: value})


@pytest.mark.parametrize(
    "text",
    [
        "int8",
        "int8(10, granularity=tensor, engine=ai_edge)",
        "int8(500, inputs=noise)",
        "int8(engine=ai_edge, ranges=percentile)",
        "int8(inputs=unscaled, ranges=percentile)@onnx",
    ],
)
def test_a_recipes_text_prints_back_and_says_nothing_of_defaults(text):
    assert str(Recipe.parse(text)) == text
