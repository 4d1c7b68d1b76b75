from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
import pytest

from compress.errors import CompressError, RecipeError
from compress.quantization.export import DynamicRange, Float16, Float32, Int8, Int16x8
from compress.runtime.session import op_counts, open_session, read_parts

KERNELS = {"cnn": (144, 1152, 2560), "mlp": (2048, 512, 160)}
BIASES = {"cnn": 34, "mlp": 58}

STEPS = {
    "float32": Float32(),
    "dynamic_range": DynamicRange(),
    "float16": Float16(),
    "int8": Int8(),
    "int8 per tensor": Int8(granularity="tensor"),
    "int16x8": Int16x8(),
}
TOLERANCE = {"float32": 1e-5, "float16": 2e-3, "dynamic_range": 0.03, "int8": 0.05, "int16x8": 0.03}
"""Largest error, as a fraction of the outputs' range."""

cells = pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind in KERNELS for name in STEPS])


def elements_by_dtype(kind, name):
    kernels, biases = sum(KERNELS[kind]), BIASES[kind]
    return {
        "float32": {"float32": kernels + biases},
        "float16": {"float16": kernels + biases},
        "dynamic_range": {"int8": kernels, "float32": biases},
        "int8": {"int8": kernels, "int32": biases},
        "int16x8": {"int8": kernels, "int32": biases},
    }[name.split()[0]]


@cells
def test_every_byte_is_accounted_for_and_weights_follow_the_layers_shapes(exported, kind, name):
    content = exported(kind, STEPS[name], "onnx")
    parts = read_parts(content, "onnx")
    assert sum(part.bytes for part in parts) == len(content)
    found = Counter()
    for part in parts:
        if part.kind == "weights":
            found[part.dtype] += part.elements
            assert part.bytes == part.elements * np.dtype(part.dtype).itemsize
    assert found == elements_by_dtype(kind, name)
    assert sum(part.bytes for part in parts if part.kind == "metadata") < 5000


@cells
def test_outputs_agree_with_the_float_model(exported, float_outputs, kind, name):
    x, expected = float_outputs(kind)
    session = open_session(exported(kind, STEPS[name], "onnx"), "onnx")
    assert session.input_shape == x.shape[1:]
    found = session.invoke(x)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    error = np.abs(found - expected).max() / np.ptp(expected)
    assert error <= TOLERANCE[name.split()[0]]
    assert name == "float32" or error > 1e-5


@pytest.mark.parametrize("name", STEPS)
def test_two_models_of_the_same_weights_give_the_same_bytes(exported, another_model_of, data_of, name):
    again = STEPS[name].export(another_model_of("cnn"), data_of("cnn"), runtime="onnx", seed=0)
    assert again == exported("cnn", STEPS[name], "onnx")


def test_exporting_leaves_the_model_as_it_was(another_model_of, data_of):
    model = another_model_of("mlp")
    before = [w.copy() for w in model.get_weights()]
    Int8().export(model, data_of("mlp"), runtime="onnx", seed=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_per_channel_scales_are_one_an_output_channel_and_per_tensor_one(exported):
    def scales(granularity):
        return sorted(
            part.elements
            for part in read_parts(exported("cnn", Int8(granularity=granularity), "onnx"), "onnx")
            if part.kind == "scales" and part.dtype == "float32" and not part.name.startswith("activation:")
        )

    assert scales("channel") == sorted([8, 16, 10] * 2)
    assert scales("tensor") == [1] * 6


def test_dynamic_range_counts_the_scales_of_weights_only(exported):
    parts = read_parts(exported("cnn", DynamicRange(), "onnx"), "onnx")
    scales = {part.name: part.elements for part in parts if part.kind == "scales"}
    assert sorted(scales.values()) == sorted([1, 1, 1, 1, 10, 10])
    assert not any(name.startswith("activation:") for name in scales)


@pytest.mark.parametrize("name", STEPS)
def test_files_are_valid_onnx_with_named_ends_and_nothing_of_the_converters(exported, name):
    content = exported("cnn", STEPS[name], "onnx")
    model = onnx.load_model_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in (*model.graph.input, *model.graph.output)] == ["input", "output"]
    for word in (b"sequential", b"ReadVariableOp", b"__inference"):
        assert word not in content
    assert {node.name for node in model.graph.node} == {""}
    assert {entry.domain for entry in model.opset_import} == {""}


def test_int16_activations_are_int16_in_the_file(exported):
    parts = read_parts(exported("cnn", Int16x8(), "onnx"), "onnx")
    points = [part for part in parts if part.name.startswith("activation:") and part.name.endswith("zero_point")]
    assert {part.dtype for part in points} == {"int16"}
    assert len(points) >= 4


def test_the_float_graph_does_no_run_time_shape_arithmetic(exported):
    assert set(op_counts(exported("cnn", Float32(), "onnx"), "onnx")) == {
        "Conv", "Relu", "MaxPool", "Transpose", "Reshape", "Gemm",
    }  # fmt: skip


def test_calibration_ranges_come_from_the_samples_that_the_seed_draws(model_of, data_of):
    first, second = (
        Int8(calibration=2).export(model_of("mlp"), data_of("mlp"), runtime="onnx", seed=seed) for seed in (1, 2)
    )
    assert first != second


def test_the_other_litert_engine_is_refused_for_onnx(model_of, data_of):
    with pytest.raises(RecipeError, match=r"int8\(engine=ai_edge\) writes LiteRT files only"):
        Int8(engine="ai_edge").export(model_of("mlp"), data_of("mlp"), runtime="onnx", seed=0)


def test_a_model_that_cannot_be_converted_gives_one_error_with_step_runtime_and_remedy(data_of):
    import keras

    inputs = keras.Input((64,))
    model = keras.Model(inputs, keras.ops.erfinv(inputs))
    with pytest.raises(CompressError, match=r"(?s)float32@onnx.*Erfinv.*try another step"):
        Float32().export(model, data_of("mlp"), runtime="onnx", seed=0)


@pytest.mark.parametrize("a_pass_fails", [False, True])
def test_tf2onnx_copies_its_graph_only_when_a_pass_over_it_fails(
    exported, another_model_of, data_of, monkeypatch, a_pass_fails
):
    from tf2onnx import optimizer

    copying = []
    optimize = optimizer.optimize_graph

    def watched(graph, catch_errors=True, optimizers=None):
        copying.append(catch_errors)
        if a_pass_fails and not catch_errors:
            raise ValueError("a pass failed")
        return optimize(graph, catch_errors, optimizers)

    monkeypatch.setattr(optimizer, "optimize_graph", watched)
    content = Float32().export(another_model_of("mlp"), data_of("mlp"), runtime="onnx", seed=0)
    assert copying == ([False, True] if a_pass_fails else [False])
    assert optimizer.optimize_graph is watched
    assert content == exported("mlp", Float32(), "onnx")


def test_constants_are_written_in_the_order_of_their_names(exported):
    names = [
        tensor.name for tensor in onnx.load_model_from_string(exported("cnn", Float32(), "onnx")).graph.initializer
    ]
    assert len(names) > 5
    assert names == sorted(names)
