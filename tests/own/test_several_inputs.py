"""Somebody's own model with several inputs and outputs, from its file and its data to a measured cell."""

import numpy as np
import pytest

from compress.errors import DataError
from compress.own import own_subject
from compress.recipe import Recipe
from compress.records import fields, records
from compress.subject import Dataset
from compress.workbench import Workbench
from tests.own_models import saving

LENGTH = 8


@pytest.fixture(scope="module")
def arrays():
    draw = np.random.default_rng(0)
    ids = draw.integers(0, 30, (50, LENGTH)).astype(np.int64)
    return {"token_ids": ids, "padding_mask": (ids > 5).astype(np.int64)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, arrays):
    """One model as all of its files: two inputs, two outputs, 12,000 parameters."""
    import keras
    from keras import layers, ops

    folder = tmp_path_factory.mktemp("several")
    keras.utils.set_random_seed(0)
    ids = keras.Input((LENGTH,), dtype="int32", name="token_ids")
    mask = keras.Input((LENGTH,), dtype="int32", name="padding_mask")
    x = layers.Embedding(30, 64, embeddings_initializer="random_normal")(ids) * 20.0
    x = layers.Dense(128, activation="relu")(x * ops.expand_dims(ops.cast(mask, "float32"), -1))
    ends = {"places": layers.Dense(2)(x), "whole": layers.Dense(5)(layers.GlobalAveragePooling1D()(x))}
    model = keras.Model({"token_ids": ids, "padding_mask": mask}, ends)
    with saving():
        model.save(folder / "model.keras")
        model.export(folder / "saved", verbose=False)
    x, y = records({name: array.astype(np.int32) for name, array in arrays.items()}), np.zeros(50, np.int64)
    data = Dataset("words", x, y, x, y)
    for runtime, name in (("litert", "model.tflite"), ("onnx", "model.onnx")):
        export = Recipe.parse("float32").export
        with saving():
            content = export.export(model, data, runtime=runtime, seed=0)
        (folder / name).write_bytes(content)
    np.savez(folder / "data.npz", **arrays)
    return folder


@pytest.mark.parametrize("name", ["model.keras", "saved", "model.tflite", "model.onnx"])
def test_int8_of_every_format_is_smaller_and_answers_alike(folder, name, tmp_path):
    subject = own_subject(folder / name, str(folder / "data.npz"))
    assert subject.task == "fidelity"
    bench = Workbench([subject], tmp_path)
    try:
        cell = bench.compressed(subject.name, "int8(20)@onnx" if name == "model.onnx" else "int8(20)")
        assert cell.measurement.outputs is not None
        assert set(cell.measurement.outputs.dtype.names) == {"places", "whole"}
        assert cell.size_ratio > 1.5
        assert cell.value("output_sqnr_db") > 15
        assert cell.value("cosine_similarity") > 0.98
    finally:
        bench.close()


def test_halves_are_told_by_their_endings(folder, arrays, tmp_path):
    halves = {f"{name}_train": array[:30] for name, array in arrays.items()}
    halves |= {f"{name}_test": array[30:] for name, array in arrays.items()}
    np.savez(tmp_path / "halves.npz", **halves, y_train=np.arange(30), y_test=np.arange(20))
    data = own_subject(folder / "model.onnx", str(tmp_path / "halves.npz"), metric="sqnr_db").data()
    assert len(data.train_x) == 30
    assert fields(data.evaluation_x)["token_ids"].tolist() == arrays["token_ids"][30:].tolist()
    assert data.evaluation_y.tolist() == list(range(20))


def test_a_missing_array_is_named_with_those_there_are(folder, arrays, tmp_path):
    np.savez(tmp_path / "half.npz", token_ids=arrays["token_ids"])
    with pytest.raises(DataError, match=r"half\.npz holds token_ids, and the model takes .*padding_mask"):
        own_subject(folder / "model.onnx", str(tmp_path / "half.npz"))


def test_arrays_of_different_lengths_are_refused(folder, arrays, tmp_path):
    np.savez(tmp_path / "uneven.npz", token_ids=arrays["token_ids"], padding_mask=arrays["padding_mask"][:9])
    with pytest.raises(DataError, match=r"uneven\.npz.*one length"):
        own_subject(folder / "model.onnx", str(tmp_path / "uneven.npz"))


def test_each_input_is_checked_against_its_own_shape(folder, arrays, tmp_path):
    np.savez(tmp_path / "short.npz", token_ids=arrays["token_ids"], padding_mask=arrays["padding_mask"][:, :5])
    with pytest.raises(DataError, match="'padding_mask' takes 8"):
        own_subject(folder / "model.onnx", str(tmp_path / "short.npz"))


@pytest.mark.parametrize("kind", ["whole", "batches"])
def test_a_function_may_give_dictionaries(folder, arrays, kind, tmp_path, monkeypatch):
    (tmp_path / "mine_several.py").write_text(
        "import numpy as np\n"
        f"data = dict(np.load({str(folder / 'data.npz')!r}))\n"
        "def whole():\n    return data\n"
        "def batches():\n    return ({n: a[i : i + 10] for n, a in data.items()} for i in range(0, 50, 10))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    data = own_subject(folder / "model.onnx", f"mine_several:{kind}").data()
    assert len(data.train_x) + len(data.evaluation_x) == 50
    joined = np.concatenate([fields(half)["token_ids"] for half in (data.train_x, data.evaluation_x)])
    assert sorted(map(tuple, joined)) == sorted(map(tuple, arrays["token_ids"]))
