from __future__ import annotations

import io
import zipfile

import h5py
import numpy as np
import pytest

from compress.errors import ModelFileError
from compress.runtime.keras import load_keras
from compress.runtime.session import load_session, op_counts, open_session, read_parts

# Keras 3.15 saves through a Variable.__array__ that has no copy keyword, which numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def weight_file(**datasets):
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for name, values in datasets.items():
            file.create_dataset(name.replace("__", "/"), data=values)
    return content.getvalue()


def test_each_variable_is_a_part_and_slots_are_no_parameters():
    weights = np.array([[0, 1.5], [0, 2]], np.float32)
    content = weight_file(layers__dense__vars__0=weights, optimizer__vars__0=np.int64(7), optimizer__vars__1=weights)
    *parts, metadata = read_parts(content, "keras")
    assert [(p.name, p.kind, p.dtype, p.elements, p.bytes, p.zeros, p.shape) for p in parts] == [
        ("layers/dense/vars/0", "weights", "float32", 4, 16, 2, (2, 2)),
        ("optimizer/vars/0", "metadata", "int64", 1, 8, 0, ()),
        ("optimizer/vars/1", "metadata", "float32", 4, 16, 2, (2, 2)),
    ]
    assert metadata.bytes == len(content) - 40


def test_a_weight_file_has_no_operations_and_cannot_be_run():
    content = weight_file(w=np.ones(3))
    assert op_counts(content, "keras") == {}
    for to_open in (open_session, load_session):
        with pytest.raises(ModelFileError, match="no architecture"):
            to_open(content, "keras")


@pytest.mark.parametrize("kept", [0, 7, 100, 0.5, 0.99])
def test_a_truncated_weight_file_is_refused(kept):
    whole = weight_file(w=np.arange(5000, dtype=np.float32))
    cut = whole[: kept if isinstance(kept, int) else int(len(whole) * kept)]
    with pytest.raises(ModelFileError, match="not whole HDF5"):
        read_parts(cut, "keras")


def test_a_dataset_that_claims_more_than_it_stores_is_refused():
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.create_dataset("w", shape=(1 << 40,), dtype=np.float32, chunks=(1 << 20,))
    with pytest.raises(ModelFileError, match=r"w claims 4398046511104 bytes and stores 0"):
        read_parts(content.getvalue(), "keras")


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    model.save(path)
    return path, model


def test_a_keras_file_comes_back_with_its_weights(keras_file):
    path, model = keras_file
    for expected, found in zip(model.get_weights(), load_keras(path).get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_lambda_layer_is_refused_with_file_and_remedy(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Lambda(lambda x: x * 2)])
    model.save(tmp_path / "code.keras")
    with pytest.raises(ModelFileError, match=r"code\.keras holds a Lambda layer.*replace it"):
        load_keras(tmp_path / "code.keras")


def test_a_truncated_keras_file_is_refused(keras_file, tmp_path):
    whole = keras_file[0].read_bytes()
    path = tmp_path / "cut.keras"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelFileError, match=r"cut\.keras is not a whole \.keras archive"):
        load_keras(path)


def test_an_archive_without_a_model_is_refused(tmp_path):
    path = tmp_path / "empty.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    with pytest.raises(ModelFileError, match=r"empty\.keras cannot be loaded"):
        load_keras(path)


def test_a_missing_keras_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"no model file .*absent\.keras"):
        load_keras(tmp_path / "absent.keras")
