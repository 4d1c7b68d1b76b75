"""A layer's error is the ratio of what the two files really compute: products with weights of known values."""

import numpy as np
import pytest

from compress.errors import DataError, ModelFileError
from compress.explain.explanation import explain
from compress.explain.samples import noise, read_samples
from compress.own import DataOptions
from compress.runtime.session import read_graph, weight_readers
from tests.explain.graphs import onnx_file

pytest.importorskip("onnxruntime")
rng = np.random.default_rng(0)
FIRST, SECOND = (rng.normal(size=(4, 4)).astype(np.float32) for _ in range(2))
CODES = np.array([[1, -2, 3, 4], [5, 6, -7, 8], [9, 10, 11, -12], [-13, 14, 15, 16]], np.int8)
SCALES = np.array([0.5, 0.25, 2.0, 0.125], np.float32)


def ratio_db(exact, answer):
    return 10 * np.log10(np.square(exact).sum() / np.square(answer - exact).sum())


@pytest.fixture
def files(tmp_path):
    """Return a float file, one whose second matrix is off by a tenth, and their samples."""
    nodes = [("MatMul", ["x", "first"], "a", {}), ("MatMul", ["a", "second"], "b", {}), ("Relu", ["b"], "c", {})]
    (tmp_path / "float.onnx").write_bytes(onnx_file(nodes, {"first": FIRST, "second": SECOND}))
    (tmp_path / "off.onnx").write_bytes(onnx_file(nodes, {"first": FIRST, "second": SECOND + np.float32(0.1)}))
    x = rng.normal(size=(6, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x_train=x + 1, x_test=x)
    return tmp_path, x


def test_the_error_appears_in_the_layer_that_makes_it(files):
    folder, x = files
    found = explain(folder / "off.onnx", folder / "float.onnx", folder / "data.npz").errors
    layers = {one.name: one for one in found.layers}
    exact, answer = x @ FIRST @ SECOND, x @ FIRST @ (SECOND + np.float32(0.1))
    assert layers["a"].sqnr_db == np.inf
    assert layers["b"].sqnr_db == pytest.approx(ratio_db(exact, answer), abs=1e-3)
    assert layers["c"].sqnr_db == pytest.approx(ratio_db(np.maximum(exact, 0), np.maximum(answer, 0)), abs=1e-3)
    assert found.output_db == layers["c"].sqnr_db
    assert layers["c"].fall_db == pytest.approx(layers["b"].sqnr_db - layers["c"].sqnr_db)


def test_the_error_of_weights_is_that_of_their_values(files):
    folder, _ = files
    found = explain(folder / "off.onnx", folder / "float.onnx", folder / "data.npz").errors
    weights = {one.name: one.sqnr_db for one in found.weights}
    assert weights["first"] == np.inf
    assert weights["second"] == pytest.approx(ratio_db(SECOND, SECOND + np.float32(0.1)), abs=1e-3)
    assert {one.name: one.weights_db for one in found.layers}["b"] == weights["second"]


def test_without_data_the_samples_are_said_to_be_noise(files):
    folder, _ = files
    found = explain(folder / "off.onnx", folder / "float.onnx", options=DataOptions(samples=5, seed=3))
    assert found.samples == "5 samples of noise (standard normal, seed 3), not of data"


def test_a_float_file_of_another_network_is_one_error_that_names_both(files):
    folder, _ = files
    other = onnx_file([("Tanh", ["x"], "t", {})], {})
    (folder / "other.onnx").write_bytes(other)
    with pytest.raises(ModelFileError, match=r"other\.onnx share no layer"):
        explain(folder / "off.onnx", folder / "other.onnx")


def test_a_file_that_cannot_be_run_is_named(files):
    folder, _ = files
    # sound by itself, but no kernel takes it
    nodes = [("MatMul", ["x", "first"], "a", {}), ("Nothing", ["a"], "c", {"domain": "nobody"})]
    (folder / "odd.onnx").write_bytes(onnx_file(nodes, {"first": FIRST}))
    with pytest.raises(ModelFileError, match=r"odd\.onnx"):
        explain(folder / "odd.onnx", folder / "float.onnx")


@pytest.mark.parametrize(("axis", "spread"), [(0, SCALES[:, None]), (1, SCALES[None, :])])
def test_dequantized_weights_take_their_scale_along_the_axis(axis, spread):
    zeros = np.zeros(4, np.int8)
    content = onnx_file(
        [("DequantizeLinear", ["codes", "scale", "zero"], "w", {"axis": axis}), ("MatMul", ["x", "w"], "y", {})],
        {"codes": CODES, "scale": SCALES, "zero": zeros},
    )
    assert np.array_equal(weight_readers(content, "onnx")["codes"](), CODES * spread)


def test_a_zero_point_is_what_stands_for_zero():
    content = onnx_file(
        [("DequantizeLinear", ["codes", "scale", "zero"], "w", {}), ("MatMul", ["x", "w"], "y", {})],
        {"codes": CODES, "scale": np.float32(0.5), "zero": np.int8(3)},
    )
    assert np.array_equal(weight_readers(content, "onnx")["codes"](), (CODES.astype(np.float32) - 3) * 0.5)


def test_the_scale_of_a_dynamic_product_is_found_behind_it():
    nodes = [
        ("MatMulInteger", ["codes8", "codes"], "sums", {}),
        ("Cast", ["sums"], "float", {"to": 1}),
        ("Mul", ["x_scale", "scale"], "scales", {}),
        ("Mul", ["float", "scales"], "y", {}),
    ]
    from onnx import helper, load_model_from_string

    model = load_model_from_string(onnx_file(nodes, {"codes": CODES, "scale": SCALES}))
    model.graph.node.insert(0, helper.make_node("DynamicQuantizeLinear", ["x"], ["codes8", "x_scale", "x_zero"]))
    found = weight_readers(model.SerializeToString(), "onnx")
    assert np.array_equal(found["codes"](), CODES * SCALES[None, :])


def made_graph():
    return read_graph(onnx_file([("MatMul", ["x", "first"], "y", {})], {"first": FIRST}), "onnx")


def test_noise_is_the_same_for_a_seed():
    one, same, other = (noise(made_graph(), 3, seed).feeds[0] for seed in (1, 1, 2))
    assert one.shape == (3, 1, 4)
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


CONTENT = onnx_file([("MatMul", ["x", "first"], "y", {})], {"first": FIRST})


def read(path, count=3, content=CONTENT):
    return read_samples(str(path), content, "onnx", DataOptions(samples=count))


def test_samples_are_laid_out_one_a_run_with_labels_and_calibration(tmp_path):
    x, y = np.arange(20, dtype=np.float32).reshape(5, 4), np.arange(5)
    np.savez(tmp_path / "data.npz", x_train=x + 1, y_train=y, x_test=x[:3], y_test=y[:3])
    found = read(tmp_path / "data.npz")
    assert np.array_equal(found.feeds[0], x[:3].reshape(3, 1, 4))
    assert found.labels.tolist() == [0, 1, 2]
    assert np.array_equal(found.calibration[0], (x + 1).reshape(5, 1, 4))
    assert found.described == "3 samples of data.npz"


def test_samples_without_halves_are_measured_or_calibrated_with_and_never_both(tmp_path):
    np.savez(tmp_path / "data.npz", x=np.arange(40, dtype=np.float32).reshape(10, 4))
    found = read(tmp_path / "data.npz")
    measured, calibrated = ({row[0, 0] for row in each} for each in (found.feeds[0], found.calibration[0]))
    assert (len(measured), len(calibrated)) == (3, 5)
    assert not measured & calibrated
    assert found.labels is None


def test_a_free_batch_and_free_sizes_take_what_the_data_has(tmp_path):
    content = onnx_file([("Relu", ["x"], "y", {})], {}, shape=("n", "length"))
    np.savez(tmp_path / "data.npz", x=np.ones((6, 7), np.float32))
    assert read(tmp_path / "data.npz", content=content).feeds[0].shape == (3, 1, 7)


def test_a_function_and_a_folder_of_pictures_are_read_as_run_reads_them(tmp_path, monkeypatch):
    image = pytest.importorskip("PIL.Image")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "explained_data.py").write_text("import numpy as np\ndef four(): return np.eye(4, dtype=np.float32)\n")
    found = read_samples("explained_data:four", CONTENT, "onnx", DataOptions())
    assert found.feeds[0].shape == (2, 1, 4)
    content = onnx_file([("Relu", ["x"], "y", {})], {}, shape=(1, 1, 6, 6))
    for name, value in (("black", 0), ("white", 255)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for number in range(2):
            image.new("L", (9, 9), value).save(tmp_path / "photos" / name / f"{number}.png")
    found = read_samples("photos", content, "onnx", DataOptions(scaling="-1..1"))
    assert found.feeds[0].shape == (2, 1, 1, 6, 6)
    assert [each.ravel()[0] for each in found.feeds[0]] == [2.0 * label - 1 for label in found.labels]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.zeros((3, 5), np.float32)}, "takes 4"),
        ({"a": np.zeros((3, 4), np.float32), "b": np.zeros((3, 4), np.float32)}, "name its arrays x"),
        ({"x": np.zeros((3, 4), np.float32), "y": np.zeros(2, np.int64)}, "labels of shape"),
        ({"x": np.zeros((0, 4), np.float32)}, "no samples"),
        ({"x": np.array(["text"] * 3)}, "a single number"),
    ],
)
def test_data_that_does_not_fit_is_one_error_that_names_the_file(tmp_path, arrays, said):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(DataError, match=said) as raised:
        read(tmp_path / "data.npz")
    assert "data.npz" in str(raised.value)


def two_inputs():
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in ("a", "b", "sum")]
    graph = helper.make_graph([helper.make_node("Add", ["a", "b"], ["sum"])], "graph", ends[:2], ends[2:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


def test_a_file_with_several_inputs_takes_the_arrays_of_their_names(tmp_path):
    one, other = np.ones((6, 4), np.float32), np.zeros((6, 4))
    np.savez(tmp_path / "data.npz", a=one, b=other)
    found = read(tmp_path / "data.npz", content=two_inputs())
    assert [(each.shape, each.dtype, each.max()) for each in found.feeds] == [
        ((3, 1, 4), "f4", 1),
        ((3, 1, 4), "f4", 0),
    ]
    np.savez(tmp_path / "data.npz", a=one)
    with pytest.raises(DataError, match="takes a, b"):
        read(tmp_path / "data.npz", content=two_inputs())
    np.savez(tmp_path / "data.npz", a=one, b=other[:2])
    with pytest.raises(DataError, match="have one length"):
        read(tmp_path / "data.npz", content=two_inputs())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"no archive"])
def test_a_damaged_archive_is_one_error_that_names_the_file(tmp_path, content):
    (tmp_path / "data.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"data\.npz"):
        read(tmp_path / "data.npz")


def test_a_lone_array_is_one_error_that_names_the_file(tmp_path):
    np.save(tmp_path / "data.npy", np.zeros((3, 4), np.float32))
    with pytest.raises(DataError, match=r"data\.npy"):
        read(tmp_path / "data.npy")


def test_a_layer_that_the_other_file_folds_is_said_to_be_in_the_next(files):
    folder, _ = files
    # the product of both matrices is one layer there
    nodes = [("MatMul", ["x", "both"], "b", {}), ("Relu", ["b"], "c", {})]
    (folder / "folded.onnx").write_bytes(onnx_file(nodes, {"both": FIRST @ SECOND}))
    layers = {one.name: one for one in explain(folder / "folded.onnx", folder / "float.onnx").errors.layers}
    assert layers["a"].sqnr_db is None
    assert layers["a"].why == "the other file has none of this name, nor of this kind and shape at its place"
    assert layers["a"].then == "b"
    assert layers["b"].sqnr_db > 100


def test_a_batch_that_an_exporter_wrote_as_minus_one_is_one_sample_and_layers_are_found_by_place(files):
    folder, x = files
    from onnx import load, save

    model = load(folder / "float.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = -1
    save(model, folder / "open.onnx")
    nodes = [("MatMul", ["x", "first"], "p", {}), ("MatMul", ["p", "second"], "q", {}), ("Relu", ["q"], "r", {})]
    (folder / "renamed.onnx").write_bytes(onnx_file(nodes, {"first": FIRST, "second": SECOND + np.float32(0.1)}))
    found = explain(folder / "renamed.onnx", folder / "open.onnx", folder / "data.npz").errors
    exact, answer = x @ FIRST @ SECOND, x @ FIRST @ (SECOND + np.float32(0.1))
    assert [one.sqnr_db for one in found.layers][:2] == [np.inf, pytest.approx(ratio_db(exact, answer), abs=1e-3)]


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "data.npz", x=np.array([{"a": 1}], object))
    with pytest.raises(DataError, match=r"data\.npz"):
        read(tmp_path / "data.npz")


def test_a_litert_layer_is_off_by_what_its_kernel_is(tmp_path):
    pytest.importorskip("ai_edge_litert")
    from tests.runtime.tflite_builder import Builder

    for name, kernel in (("float", SECOND), ("off", SECOND + np.float32(0.1))):
        builder = Builder()
        ends = [builder.tensor((1, 4)) for _ in range(3)]
        builder.dense((ends[0], builder.constant(FIRST), -1), (ends[1],))
        builder.dense((ends[1], builder.constant(kernel), -1), (ends[2],))
        (tmp_path / f"{name}.tflite").write_bytes(builder.finish((ends[0],), (ends[2],)))
    x = rng.normal(size=(6, 4)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x_train=x + 1, x_test=x)
    found = explain(tmp_path / "off.tflite", tmp_path / "float.tflite", tmp_path / "data.npz").errors
    hidden = x @ FIRST.T
    assert [one.sqnr_db for one in found.layers] == [
        np.inf,
        pytest.approx(ratio_db(hidden @ SECOND.T, hidden @ (SECOND + np.float32(0.1)).T), abs=1e-3),
    ]
