"""A model file is told by its suffix and its first bytes, and known by its content."""

import pytest

from compress.errors import ModelFileError
from compress.model_file import ModelFile, open_model_file


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.pt", b"PK\x03\x04", "told by its suffix, .keras, .h5, .tflite, .onnx, or a SavedModel folder"),
        ("model.onnx", b"", "is empty"),
        ("model.tflite", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("model.tflite", b"\x08\x00\x00\x00ONNX....", "which has TFL3 at byte 4"),
        ("model.keras", b"\x89HDF\r\n\x1a\n....", "not a whole .keras archive"),
        ("model.h5", b"PK\x03\x04........", "not an HDF5 file"),
        ("model.onnx", b"\x1c\x00\x00\x00TFL3....", "not an ONNX file, whatever its suffix says"),
    ],
)
def test_a_file_that_is_not_what_its_suffix_says_is_named_with_the_remedy(tmp_path, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="model") as raised:
        open_model_file(path)
    assert str(path) in str(raised.value)
    assert said in str(raised.value)


def test_a_missing_file_and_a_folder_that_is_no_model_are_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"no model file .*x\.onnx; check the path"):
        open_model_file(tmp_path / "x.onnx")
    with pytest.raises(ModelFileError, match=r"a folder without a saved_model\.pb"):
        open_model_file(tmp_path)


def test_a_suffix_in_capitals_is_the_same_suffix(tmp_path):
    path = tmp_path / "MODEL.TFLITE"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3")
    assert open_model_file(path) == ModelFile(path, "tflite")


def test_the_digest_of_a_folder_changes_with_each_file_and_name(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "index").write_bytes(b"one")
    model = open_model_file(tmp_path)
    digests = [model.digest()]
    (tmp_path / "variables" / "index").write_bytes(b"two")
    digests.append(model.digest())
    (tmp_path / "variables" / "index").rename(tmp_path / "variables" / "other")
    digests.append(model.digest())
    assert len(set(digests)) == 3
    assert model.digest() == digests[-1]
