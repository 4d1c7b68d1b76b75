"""What a model takes and gives is read from every format alike; what cannot be measured is refused before it runs."""

import json
import shutil
import sys
import zipfile

import numpy as np
import pytest

from compress.errors import ModelFileError
from compress.model_file import open_model_file
from compress.own.signature import read_signature
from tests.own_models import CLASSES, FORMATS, PARAMETERS, SHAPE, build, saving


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_tells_input_classes_and_parameters(models, name):
    found = read_signature(open_model_file(models / name))
    assert found.sample_shape == SHAPE
    assert found.inputs[0].shape[0] in (None, 1)
    assert found.inputs[0].dtype == "float32"
    assert found.classes == CLASSES
    assert found.parameters == PARAMETERS


@pytest.mark.parametrize("name", [name for name in FORMATS if "." in name])
@pytest.mark.parametrize("fraction", [0.3, 0.98])
def test_a_truncated_file_is_one_error_that_names_it(models, tmp_path, name, fraction):
    content = (models / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(ModelFileError) as raised:
        read_signature(open_model_file(path))
    assert str(path) in str(raised.value)


def test_a_saved_model_with_a_damaged_graph_is_one_error_that_names_it(models, tmp_path):
    shutil.copytree(models / "small", tmp_path / "small")
    graph = tmp_path / "small" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:1000])
    with pytest.raises(ModelFileError, match="small is truncated or damaged"):
        read_signature(open_model_file(tmp_path / "small"))


def test_a_compressed_model_is_refused(models):
    with pytest.raises(ModelFileError, match=r"int8\.tflite: the model is compressed already \(it holds int8\)"):
        read_signature(open_model_file(models / "int8.tflite"))


def test_a_keras_file_is_read_without_loading_it(models):
    before = set(sys.modules)
    read_signature(open_model_file(models / "small.keras"))
    assert not {name for name in set(sys.modules) - before if name.startswith(("keras", "tensorflow"))}


def changed(models, folder, change):
    """Return a copy of ``small.keras`` whose configuration `change` has seen."""
    path = folder / "changed.keras"
    with zipfile.ZipFile(models / "small.keras") as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                change(config)
                content = json.dumps(config).encode()
            target.writestr(name, content)
    return path


def lambda_layer(config):
    config["config"]["layers"].insert(1, {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l"}})


def custom_layer(config):
    config["config"]["layers"][1] |= {"module": "mine.layers", "class_name": "Mine", "registered_name": "mine>Mine"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda_layer, "holds a Lambda layer, which is code that loading would run"),
        (custom_layer, "holds Mine of mine.layers, a class of somebody's own"),
    ],
)
def test_a_keras_file_that_holds_code_is_refused_unloaded(models, tmp_path, change, said):
    path = changed(models, tmp_path, change)
    with pytest.raises(ModelFileError) as raised:
        read_signature(open_model_file(path))
    assert str(path) in str(raised.value)
    assert said in str(raised.value)


def test_a_lambda_in_an_old_h5_file_is_refused_unloaded(models, tmp_path):
    import h5py

    shutil.copy(models / "small.h5", tmp_path / "small.h5")
    with h5py.File(tmp_path / "small.h5", "a") as file:
        config = json.loads(file.attrs["model_config"])
        config["config"]["layers"].append({"class_name": "Lambda", "config": {"name": "l", "function": "4wEAAAA="}})
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(ModelFileError, match="holds a Lambda layer"):
        read_signature(open_model_file(tmp_path / "small.h5"))


def test_a_loss_of_ones_own_is_not_loaded_and_no_reason_to_refuse(models, tmp_path):
    def own_loss(config):
        config["compile_config"] = {"loss": {"module": "mine", "class_name": "Loss", "registered_name": "mine>Loss"}}

    assert read_signature(open_model_file(changed(models, tmp_path, own_loss))).classes == CLASSES


def test_weights_without_a_model_are_refused(tmp_path):
    with saving():
        build().save_weights(tmp_path / "only.weights.h5")
    with pytest.raises(ModelFileError, match="it holds weights without a model"):
        read_signature(open_model_file(tmp_path / "only.weights.h5"))


def onnx_with(inputs, batch, path):
    from onnx import TensorProto, helper

    names = [f"x{index}" for index in range(inputs)]
    graph = helper.make_graph(
        [helper.make_node("Sum", names, ["y"])],
        "sum",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 4]) for name in names],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return open_model_file(path)


def test_several_inputs_are_told_by_their_names(tmp_path):
    found = read_signature(onnx_with(2, "n", tmp_path / "two.onnx"))
    assert [end.name for end in found.inputs] == ["x0", "x1"]
    assert found.takes_records
    assert found.classes == 4


def test_a_fixed_batch_of_several_is_refused_and_a_free_one_is_not(tmp_path):
    assert read_signature(onnx_with(1, "n", tmp_path / "free.onnx")).inputs[0].shape == (None, 4)
    with pytest.raises(ModelFileError, match="takes batches of 8"):
        read_signature(onnx_with(1, 8, tmp_path / "eight.onnx"))


def test_a_model_that_scales_its_input_says_so(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Rescaling(1 / 255), keras.layers.Dense(2)])
    with saving():
        model.save(tmp_path / "scales.keras")
    assert read_signature(open_model_file(tmp_path / "scales.keras")).rescales_its_input
    assert np.isclose(read_signature(open_model_file(tmp_path / "scales.keras")).parameters, 10)
