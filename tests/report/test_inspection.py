"""`compress-bench inspect` accounts for a model file, and refuses a bad one with one line that names it."""

import subprocess
import sys

import numpy as np
import pytest

from compress import cli


@pytest.fixture(scope="module")
def model_files(tmp_path_factory):
    """Return a folder with one small model in every format."""
    keras = pytest.importorskip("keras")
    from compress.quantization.export import Float32, Int8
    from compress.subject import Dataset

    folder = tmp_path_factory.mktemp("models")
    keras.utils.set_random_seed(0)
    image = keras.Input((40,), name="image")
    model = keras.Model(image, keras.layers.Dense(30, name="dense")(image), name="tiny")
    x, y = np.random.default_rng(0).random((100, 40), np.float32), np.zeros(100, np.int64)
    data = Dataset("noise", x, y, x.copy(), y.copy())
    (folder / "int8.tflite").write_bytes(Int8().export(model, data, runtime="litert", seed=0))
    (folder / "float32.onnx").write_bytes(Float32().export(model, data, runtime="onnx", seed=0))
    (folder / "tiny.weights.h5").write_bytes(Float32().export(model, data, runtime="keras", seed=0))
    return folder


@pytest.fixture
def inspect(monkeypatch, capsys):
    def call(path):
        monkeypatch.setattr(sys, "argv", ["compress-bench", "inspect", str(path)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        written = capsys.readouterr()
        return ended.value.code, written.out, written.err

    return call


@pytest.mark.parametrize(
    ("name", "dtype", "elements"), [("int8.tflite", "int8", "1,200"), ("float32.onnx", "float32", "1,200")]
)
def test_bytes_storage_types_and_operators_are_listed(inspect, model_files, name, dtype, elements):
    # a bias of zeros is left out by both converters
    code, out, _ = inspect(model_files / name)
    assert code == 0
    lines = {line.split("  ")[0].strip() or line.split()[0]: line.split()[-1] for line in out.splitlines()}
    assert lines[dtype] == elements
    assert f"{(model_files / name).stat().st_size:,} bytes" in out
    assert "operators" in out


def test_the_kinds_of_bytes_add_up_to_the_file(inspect, model_files):
    _, out, _ = inspect(model_files / "int8.tflite")
    kinds = [line.split() for line in out.splitlines() if line.split()[0] in ("weights", "scales", "metadata")]
    assert sum(int(count.replace(",", "")) for _, count, _ in kinds) == (model_files / "int8.tflite").stat().st_size


def test_a_weight_file_has_parameters_and_no_operators(inspect, model_files):
    code, out, _ = inspect(model_files / "tiny.weights.h5")
    assert code == 0
    assert "1,230" in out
    assert out.splitlines()[-1].split() == ["operators", "none"]


@pytest.mark.parametrize("name", ["int8.tflite", "float32.onnx", "tiny.weights.h5"])
def test_a_file_cut_in_half_is_one_error_that_names_it(inspect, model_files, tmp_path, name):
    content = (model_files / name).read_bytes()
    half = tmp_path / name
    half.write_bytes(content[: len(content) // 2])
    code, out, err = inspect(half)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert str(half) in err


@pytest.mark.parametrize("suffix", [".tflite", ".onnx", ".h5", ".keras", ".npz"])
def test_random_bytes_are_one_error_that_names_the_file(inspect, tmp_path, suffix):
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    code, out, err = inspect(path)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert str(path) in err


# Keras 3 gives np.array a copy keyword that h5py's datasets do not take yet
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_a_keras_model_is_listed_without_a_word_from_tensorflow(tmp_path):
    keras = pytest.importorskip("keras")
    image = keras.Input((40,), name="image")
    keras.Model(image, keras.layers.Dense(30, name="dense")(image)).save(tmp_path / "tiny.keras")
    command = [sys.executable, "-c", "from compress.cli import main; main()", "inspect", str(tmp_path / "tiny.keras")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "1,230" in done.stdout
    assert "InputLayer, Dense" in done.stdout
    assert done.stderr == ""


def test_a_missing_file_is_one_error_that_names_it(inspect, tmp_path):
    code, _, err = inspect(tmp_path / "none.onnx")
    assert code == 2
    assert str(tmp_path / "none.onnx") in err


# Keras 3 gives np.array a copy keyword that h5py's datasets do not take yet
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_a_keras_file_with_a_lambda_layer_is_refused_and_not_run(inspect, tmp_path):
    keras = pytest.importorskip("keras")
    path, trace = tmp_path / "code.keras", tmp_path / "ran"
    layer = keras.layers.Lambda(lambda x, name=str(trace): (open(name, "w").close(), x)[1], output_shape=(4,))
    image = keras.Input((4,))
    model = keras.Model(image, layer(image))
    trace.unlink(missing_ok=True)
    model.save(path)
    code, out, err = inspect(path)
    assert (code, out) == (2, "")
    assert "Lambda" in err
    assert err.count("\n") == 1
    assert not trace.exists()
