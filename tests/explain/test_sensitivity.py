"""The layer whose weights hold an outlier is the one to keep in float, and keeping it mends the output."""

import os
import time

import numpy as np
import pytest

from compress.errors import RuntimeCrash
from compress.explain.sensitivity import Kept, Sensitivity, advise, sweep
from compress.explain.sweep_process import SweepProcess
from compress.own import DataOptions
from compress.report.sensitivity import advice
from tests.explain.graphs import onnx_file

WIDTH, LAYERS, WORST = 48, 4, 2
OUTLIER = 400.0


def kernels():
    """Return square matrices; in one, every output channel has an outlier on an input that is always zero.

    In float nothing changes by it. In int8 its step is so large that the channel's other weights are all zero.
    """
    rng = np.random.default_rng(0)
    found = [(rng.normal(size=(WIDTH, WIDTH)) / np.sqrt(WIDTH)).astype(np.float32) for _ in range(LAYERS)]
    found[WORST - 1][:, 0] = 0  # its first channel is zero, which the next one's outliers stand on
    found[WORST][0, :] = OUTLIER
    return found


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data.npz"
    rng = np.random.default_rng(1)
    x = rng.normal(size=(24, WIDTH)).astype(np.float32)
    np.savez(path, x_test=x[:12], y_test=np.arange(12) % 5, x_train=x[12:], y_train=np.arange(12) % 5)
    return path


@pytest.fixture
def onnx_model(tmp_path):
    pytest.importorskip("onnxruntime")
    path = tmp_path / "model.onnx"
    nodes, last = [], "x"
    for number in range(LAYERS):
        nodes += [("MatMul", [last, f"w{number}"], f"product{number}", {})]
        last = f"product{number}"
    nodes.append(("Tanh", [last], "y", {}))
    path.write_bytes(onnx_file(nodes, {f"w{n}": kernel for n, kernel in enumerate(kernels())}, (1, WIDTH)))
    return path


@pytest.fixture
def litert_model(tmp_path):
    pytest.importorskip("ai_edge_quantizer")
    from tests.runtime.tflite_builder import Builder

    builder, path = Builder(), tmp_path / "model.tflite"
    ends = [builder.tensor((1, WIDTH)) for _ in range(LAYERS + 1)]
    for number, kernel in enumerate(kernels()):
        builder.dense((ends[number], builder.constant(np.ascontiguousarray(kernel.T)), -1), (ends[number + 1],))
    path.write_bytes(builder.finish((ends[0],), (ends[-1],)))
    return path


@pytest.mark.parametrize("precision", ["int8", "dynamic_range"])
@pytest.mark.parametrize(
    ("kind", "name"), [("onnx_model", f"product{WORST}"), ("litert_model", f"fully_connected_{WORST}")]
)
def test_the_layer_with_outliers_is_named_and_keeping_it_mends_the_file(request, data, kind, name, precision):
    model = request.getfixturevalue(kind)
    written, seen = model.with_name(f"kept{model.suffix}"), []
    found = sweep(
        model, data, precision=precision, write=written, progress=lambda done, total: seen.append((done, total))
    )
    assert found.alone[0].layer == name
    assert len(found.alone) == LAYERS
    ratios = [one.sqnr_db for one in found.files]
    assert ratios[0] < 5
    assert found.advised == 1
    assert found.files[1].layers == (name,)
    assert ratios[1] > 25
    # one kernel in float is three bytes a weight more, and what the graph needs to convert around it
    assert 3 * WIDTH**2 * 0.85 < found.files[1].bytes - found.files[0].bytes < 3 * WIDTH**2 * 1.05
    assert written.stat().st_size == found.files[1].bytes
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1]
    assert [done for done, _ in seen] == list(range(len(seen)))
    assert found.float_correct is not None


def test_a_limit_sweeps_the_layers_whose_error_grows_most(onnx_model, data):
    found = sweep(onnx_model, data, layers=2, keep=1)
    assert f"product{WORST}" in {one.layer for one in found.alone}
    assert len(found.alone) == 2
    assert len(found.unswept) == LAYERS - 2
    assert found.files[-1].layers == (f"product{WORST}",)


def test_a_softmax_of_an_old_operator_set_is_looked_behind_in_both_files(onnx_model, data):
    import onnx

    model = onnx.load(onnx_model)
    model.graph.node[-1].CopyFrom(onnx.helper.make_node("Softmax", [model.graph.node[-1].input[0]], ["y"], "y"))
    model.opset_import[0].version = 11
    onnx.save(model, onnx_model)
    found = sweep(onnx_model, data, keep=1)
    assert found.measured == f"product{LAYERS - 1}"
    assert found.alone[0].layer == f"product{WORST}"
    assert found.alone[-1].sqnr_db > 30


def files(*ratios):
    return [Kept((), 0, ratio, None) for ratio in ratios]


@pytest.mark.parametrize(
    ("ratios", "layers"),
    [
        ((10.0, 10.5, 10.9), 0),
        ((10.0, 30.0, 30.5), 1),
        ((10.0, 12.0, 30.0), 2),
        ((None, 20.0), 1),
        ((10.0, 9.0), 0),
        ((75.0, 110.0), 0),
    ],
)
def test_the_advice_is_the_fewest_layers_that_gain_most(ratios, layers):
    assert advise(files(*ratios)) == layers


@pytest.mark.parametrize(
    ("kill", "argument", "said"), [(os._exit, 3, "quantized and ran it died"), (time.sleep, 60, "no answer within 1 s")]
)
def test_a_sweep_whose_process_dies_or_hangs_is_one_error_that_names_the_file(
    monkeypatch, onnx_model, kill, argument, said
):
    monkeypatch.setattr(
        SweepProcess, "only", lambda self, _: (setattr(self, "_deadline_s", 1), self._ask(kill, argument))
    )
    with pytest.raises(RuntimeCrash, match=rf"model\.onnx: .*{said}"):
        sweep(onnx_model, None, options=DataOptions(samples=2), precision="dynamic_range")


@pytest.mark.parametrize(
    ("precision", "ratios", "said"),
    [
        ("int8", (40.0, 41.0), "quantize all"),
        ("int8", (3.1, 3.1), "no layer's weights to keep"),
        ("int8", (None, 2.0), "no layer's weights to keep"),
        ("dynamic_range", (3.1, 3.1), "quantize all"),
    ],
)
def test_where_no_layer_mends_a_poor_file_its_activations_are_blamed(precision, ratios, said):
    found = Sensitivity("a.onnx", precision, "noise", 1, 1, None, (), tuple(files(*ratios)), advised=0)
    assert advice(found).startswith(said)
