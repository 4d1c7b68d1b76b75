from __future__ import annotations

import gzip
import os
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from compress.errors import CompressError, ConversionError, RecipeError
from compress.quantization.export import DynamicRange, Float16, Float32, Int8, Int16x8
from compress.quantization.quiet import quiet_conversion
from compress.records import records
from compress.runtime.flatbuffer import Flatbuffer
from compress.runtime.session import op_counts, open_session, read_parts

KERNELS = {"cnn": {"conv_1": 144, "conv_2": 1152, "dense": 2560}, "mlp": {"1": 2048, "2": 512, "3": 160}}
BIASES = {"cnn": (8, 16, 10), "mlp": (32, 16, 10)}

STEPS = {
    "float32": Float32(),
    "dynamic_range": DynamicRange(),
    "float16": Float16(),
    "int8": Int8(),
    "int8 per tensor": Int8(granularity="tensor"),
    "int16x8": Int16x8(),
    "dynamic_range by ai_edge": DynamicRange(engine="ai_edge"),
    "float16 by ai_edge": Float16(engine="ai_edge"),
    "int8 by ai_edge": Int8(engine="ai_edge"),
    "int8 per tensor by ai_edge": Int8(granularity="tensor", engine="ai_edge"),
    "int16x8 by ai_edge": Int16x8(engine="ai_edge"),
}
TOLERANCE = {"float32": 1e-5, "float16": 2e-3, "dynamic_range": 0.03, "int8": 0.05, "int16x8": 0.03}
"""Largest error, as a fraction of the outputs' range."""

CELLS = [("cnn", name) for name in STEPS] + [("mlp", name) for name in TOLERANCE]
cells = pytest.mark.parametrize(("kind", "name"), CELLS)


def elements_by_dtype(kind, name):
    """Return what the file must hold, from the layers' shapes and what each step says it does."""
    kernels, biases = KERNELS[kind].values(), sum(BIASES[kind])
    if name == "float32":
        return {"float32": sum(kernels) + biases}
    if name == "float16":
        return {"float16": sum(kernels) + biases}
    if name == "float16 by ai_edge":
        return {"float16": sum(kernels), "float32": biases}
    if name == "dynamic_range":
        small = sum(size for size in kernels if size < 1024)
        return {"int8": sum(kernels) - small, "float32": small + biases}
    if name == "dynamic_range by ai_edge":
        return {"int8": sum(kernels), "float32": biases}
    return {"int8": sum(kernels), "int64" if name.startswith("int16x8") else "int32": biases}


@cells
def test_every_byte_is_accounted_for_and_weights_follow_the_layers_shapes(exported, kind, name):
    content = exported(kind, STEPS[name], "litert")
    parts = read_parts(content, "litert")
    assert sum(part.bytes for part in parts) == len(content)
    found = Counter()
    for part in parts:
        if part.kind == "weights":
            found[part.dtype] += part.elements
            assert part.bytes == part.elements * np.dtype(part.dtype).itemsize
    assert found == elements_by_dtype(kind, name)
    assert sum(part.bytes for part in parts if part.kind == "metadata") < 2600


@cells
def test_outputs_agree_with_the_float_model(exported, float_outputs, kind, name):
    x, expected = float_outputs(kind)
    session = open_session(exported(kind, STEPS[name], "litert"), "litert")
    assert session.input_shape == x.shape[1:]
    found = session.invoke(x)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() <= TOLERANCE[name.split()[0]] * np.ptp(expected)


@pytest.mark.parametrize("name", ["dynamic_range", "float16", "int8", "int16x8"])
def test_a_quantized_file_does_not_compute_what_the_float_one_does(exported, float_outputs, name):
    x, expected = float_outputs("mlp")
    found = open_session(exported("mlp", STEPS[name], "litert"), "litert").invoke(x)
    assert np.abs(found - expected).max() > 1e-5 * np.ptp(expected)


@pytest.mark.parametrize("name", ["float32", "int8", "int16x8", "dynamic_range by ai_edge", "int8 by ai_edge"])
def test_two_models_of_the_same_weights_give_the_same_bytes(exported, another_model_of, data_of, name):
    again = STEPS[name].export(another_model_of("cnn"), data_of("cnn"), runtime="litert", seed=0)
    assert again == exported("cnn", STEPS[name], "litert")


def test_exporting_leaves_the_model_as_it_was(another_model_of, data_of):
    model = another_model_of("mlp")
    before = [w.copy() for w in model.get_weights()]
    names = [layer.name for layer in model.layers]
    Int8().export(model, data_of("mlp"), runtime="litert", seed=0)
    assert names == [layer.name for layer in model.layers]
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("engine", ["converter", "ai_edge"])
def test_per_channel_scales_are_one_an_output_channel_and_per_tensor_one(exported, engine):
    def scales(granularity):
        parts = read_parts(exported("cnn", Int8(granularity=granularity, engine=engine), "litert"), "litert")
        return sorted(
            part.elements
            for part in parts
            if part.kind == "scales" and part.dtype == "float32" and not part.name.startswith("activation:")
        )

    assert scales("channel") == sorted([8, 16, 10] * 2)
    assert scales("tensor") == [1] * 6


def test_int8_runs_in_integers_from_input_to_output(exported):
    content = exported("cnn", Int8(), "litert")
    assert op_counts(content, "litert") == {"CONV_2D": 2, "FULLY_CONNECTED": 1, "MAX_POOL_2D": 1, "RESHAPE": 1}
    parts = read_parts(content, "litert")
    activations = [part for part in parts if part.name.startswith("activation:") and part.dtype == "float32"]
    assert len(activations) == 6


def test_calibration_ranges_come_from_the_samples_that_the_seed_draws(model_of, data_of):
    first, second = (
        Int8(calibration=2).export(model_of("mlp"), data_of("mlp"), runtime="litert", seed=seed) for seed in (1, 2)
    )
    assert first != second


@pytest.mark.parametrize("engine", ["converter", "ai_edge"])
def test_int8_input_range_is_that_of_the_calibration_samples(model_of, data_of, engine):
    plain = data_of("mlp")
    loudness = np.random.default_rng(0).random((150, 1), np.float32)
    loud = replace(plain, train_x=plain.train_x * loudness)
    content = Int8(engine=engine).export(model_of("mlp"), loud, runtime="litert", seed=0)
    scale, zero_point = Interpreter(model_content=content).get_input_details()[0]["quantization"]
    assert scale == pytest.approx(loud.calibration(100, 0).max() / 255, rel=1e-3)
    assert zero_point == -128


def test_names_and_conversion_records_are_not_in_the_file(exported):
    content = exported("cnn", Float32(), "litert")
    for word in (b"conv2d", b"sequential", b"StatefulPartitionedCall", b"CONVERSION_METADATA"):
        assert word not in content
    assert b"serving_default" in content


@pytest.mark.parametrize("name", ["float32", "int8", "int16x8"])
def test_constants_start_at_multiples_of_sixteen_bytes_as_the_schema_asks(exported, name):
    file = Flatbuffer(exported("cnn", STEPS[name], "litert"), b"TFL3", "LiteRT")
    starts = [file.vector(table, 0, 1).start for table in file.tables(file.root, 4)]
    assert len(starts) > 6
    assert all(start % 16 == 0 for start in starts)


@pytest.mark.parametrize("engine", ["converter", "ai_edge"])
def test_zero_points_of_a_kernel_and_its_bias_are_written_once(exported, engine):
    parts = read_parts(exported("cnn", Int8(engine=engine), "litert"), "litert")
    channels = [part.elements for part in parts if part.dtype == "int64" and part.elements > 1]
    assert sorted(channels) == [8, 10, 16]


def test_data_that_ai_edge_puts_behind_the_flatbuffer_comes_inside(data_of):
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(4000, activation="relu"), keras.layers.Dense(10)])
    x = data_of("mlp").train_x[:20]
    content = Int8(engine="ai_edge").export(model, data_of("mlp"), runtime="litert", seed=0)
    file = Flatbuffer(content, b"TFL3", "LiteRT")
    assert {file.scalar(table, 1, "Q") for table in file.tables(file.root, 4)} == {0}
    expected = model.predict(x, verbose=0)
    found = open_session(content, "litert").invoke(x)
    assert np.abs(found - expected).max() <= TOLERANCE["int8"] * np.ptp(expected)


def test_zeroed_weights_leave_the_raw_size_and_shrink_the_gzipped_one(exported, another_model_of, data_of):
    model = another_model_of("mlp")
    rng = np.random.default_rng(0)
    model.set_weights([np.where(rng.random(w.shape) < 0.8, 0, w) if w.ndim > 1 else w for w in model.get_weights()])
    pruned = Float32().export(model, data_of("mlp"), runtime="litert", seed=0)
    dense = exported("mlp", Float32(), "litert")
    assert len(pruned) == len(dense)
    assert len(gzip.compress(pruned)) < 0.45 * len(gzip.compress(dense))


def test_conversion_prints_nothing_unless_asked(model_of, data_of, capfd, monkeypatch):
    Float32().export(model_of("mlp"), data_of("mlp"), runtime="litert", seed=0)
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("COMPRESS_VERBOSE", "1")
    # what TensorFlow itself prints depends on TF_CPP_MIN_LOG_LEVEL at its import
    with quiet_conversion("float32", "litert", "none"):
        os.write(2, b"from C++")
    assert "from C++" in capfd.readouterr().err


def test_a_model_that_cannot_be_converted_gives_one_error_with_step_runtime_and_remedy(data_of):
    import keras

    inputs = keras.Input((64,))
    model = keras.Model(inputs, keras.ops.erfinv(inputs))
    with pytest.raises(CompressError, match=r"(?s)int8\(engine=converter\)@litert.*try the other engine.*last lines"):
        Int8().export(model, data_of("mlp"), runtime="litert", seed=0)


@pytest.mark.parametrize(
    ("error", "is_kept"), [(ValueError, True), (RuntimeError, True), (MemoryError, False), (OSError, False)]
)
def test_a_converters_answer_is_told_from_what_was_missing(error, is_kept):
    said = pytest.raises(CompressError, match="float32@litert cannot be exported")
    with said as raised, quiet_conversion("float32", "litert", "none"):
        raise error("no")
    assert isinstance(raised.value, ConversionError) == is_kept


def test_two_inputs_without_names_are_told_apart_by_their_layers():
    import keras

    a, b = keras.Input((4,), name="left"), keras.Input((4,), name="right")
    model = keras.Model([a, b], keras.layers.Subtract()([a, b]), name="siamese")
    session = open_session(Float32().export(model, None, runtime="litert", seed=0), "litert")
    x = records({"right": np.ones((1, 4), np.float32), "left": np.full((1, 4), 3, np.float32)})
    assert session.invoke(x).tolist() == [[2.0] * 4]


@pytest.mark.parametrize(
    ("step", "arguments", "message"),
    [
        (Int8, {"calibration": 0}, "calibration must be a whole number of samples from 1, got 0"),
        (Int8, {"calibration": 2.5}, "got 2.5"),
        (Int8, {"granularity": "block"}, "granularity must be one of channel, tensor, got 'block'"),
        (Int8, {"engine": "toco"}, "engine must be one of converter, ai_edge, got 'toco'"),
        (Int16x8, {"calibration": -1}, "got -1"),
        (DynamicRange, {"engine": "x"}, "got 'x'"),
        (Float16, {"engine": "x"}, "got 'x'"),
    ],
)
def test_a_bad_parameter_is_named_when_the_step_is_made(step, arguments, message):
    with pytest.raises(RecipeError, match=message):
        step(**arguments)


def test_a_runtime_the_step_cannot_write_for_is_refused(data_of):
    with pytest.raises(RecipeError, match="int8 can be written for litert, onnx, not for 'keras'"):
        Int8().export(None, data_of("mlp"), runtime="keras", seed=0)


@pytest.mark.parametrize(("size", "loads"), [(1e-6, False), (1e-3, True)])
def test_activations_too_small_for_their_bound_are_refused_where_litert_would_not_load_the_file(
    data_of, monkeypatch, size, loads
):
    import keras

    from compress.quantization import litert

    model = keras.Sequential([keras.Input((12, 12, 2)), keras.layers.Conv2D(3, 3, activation="relu6")])
    model.set_weights([np.full((3, 3, 2, 3), size, np.float32), np.zeros(3, np.float32)])

    def export():
        return Int16x8(calibration=2).export(model, data_of("cnn"), runtime="litert", seed=0)

    if loads:
        assert np.ptp(open_session(export(), "litert").invoke(data_of("cnn").train_x[:2])) > 0
        return
    with pytest.raises(CompressError, match=r"int16x8@litert: LiteRT cannot load.*relu6.*6 overflows 32 bits"):
        export()
    monkeypatch.setattr(litert, "_check_clips", lambda *_: None)
    with pytest.raises(RuntimeError, match="no_integer_overflow_from_quantization"):
        Interpreter(model_content=export()).allocate_tensors()


def test_int8_activations_as_small_are_written_and_loaded(data_of):
    import keras

    model = keras.Sequential([keras.Input((12, 12, 2)), keras.layers.Conv2D(3, 3, activation="relu6")])
    model.set_weights([np.full((3, 3, 2, 3), 1e-9, np.float32), np.zeros(3, np.float32)])
    content = Int8(calibration=2, engine="ai_edge").export(model, data_of("cnn"), runtime="litert", seed=0)
    assert np.ptp(open_session(content, "litert").invoke(data_of("cnn").train_x[:2])) > 0
