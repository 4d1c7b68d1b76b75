"""Data of one's own is read, split, scaled and checked against the model before anything runs."""

import numpy as np
import pytest

from compress.errors import DataError
from compress.own.data import DataOptions, OwnData
from compress.own.signature import Signature
from compress.runtime.signature import End
from tests.own_models import CLASSES, SAMPLES, SHAPE


def signature(shape=SHAPE, dtype="float32", classes=CLASSES, rescales=False):
    return Signature((End("image", (None, *shape), dtype),), (End("y", (None, classes), "float32"),), 10, rescales)


def load(spec, of=None, **options):
    return OwnData(str(spec), of or signature(), DataOptions(**options))()


def rows(x):
    return {row.tobytes() for row in x}


def test_half_is_kept_to_be_scored_and_never_calibrates(arrays, x, y):
    data = load(arrays(x=x, y=y))
    assert len(data.train_x) == len(data.evaluation_x) == SAMPLES // 2
    assert not rows(data.train_x) & rows(data.evaluation_x)
    assert rows(data.train_x) | rows(data.evaluation_x) == rows(x)
    assert rows(data.calibration(20)) <= rows(data.train_x)


def test_labels_stay_with_their_samples(arrays, x, y):
    data = load(arrays(x=x, y=y))
    label_of = {row.tobytes(): label for row, label in zip(x, y, strict=True)}
    for samples, labels in ((data.train_x, data.train_y), (data.evaluation_x, data.evaluation_y)):
        assert [label_of[row.tobytes()] for row in samples] == labels.tolist()


def test_the_split_is_the_seeds_own(arrays, x):
    spec = arrays(x=x)
    first, again, other = (load(spec, seed=seed).evaluation_x for seed in (0, 0, 1))
    assert rows(first) == rows(again) != rows(other)


def test_halves_that_come_apart_stay_apart(arrays, x, y):
    data = load(arrays(x_train=x[:10], y_train=y[:10], x_test=x[10:], y_test=y[10:]))
    np.testing.assert_array_equal(data.train_x, x[:10])
    np.testing.assert_array_equal(data.evaluation_y, y[10:])


def test_fewer_samples_are_scored_when_asked(arrays, x, y):
    data = load(arrays(x_train=x[:10], y_train=y[:10], x_test=x[10:], y_test=y[10:]), samples=7)
    assert len(data.evaluation_x) == len(data.evaluation_y) == 7
    assert rows(data.evaluation_x) < rows(x[10:])


def test_samples_without_labels_say_so(arrays, x, y):
    assert not load(arrays(x=x)).is_labelled
    assert load(arrays(x=x, y=y)).is_labelled


def test_the_models_input_may_name_the_samples(arrays, x):
    assert len(load(arrays(image=x)).train_x) == SAMPLES // 2


def test_one_hot_labels_are_classes(arrays, x, y):
    data = load(arrays(x=x, y=np.eye(CLASSES)[y]))
    assert data.evaluation_y.shape == (SAMPLES // 2,)
    assert rows(np.eye(CLASSES)[data.evaluation_y]) == rows(np.eye(CLASSES))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: {"x": x[..., 0]}, "a train sample is 8 x 8, and the model's input 'image' takes 8 x 8 x 1"),
        (lambda x: {"x": x[:, :7]}, "a train sample is 7 x 8 x 1"),
        (lambda x: {"x": x + 0j}, "the train samples are complex64, and the model's input 'image' takes float32"),
        (lambda x: {"x": np.where(x > 0.5, np.nan, x)}, "hold NaN or infinity"),
        (lambda x: {"pictures": x}, "holds pictures; name its arrays x (and y)"),
        (lambda x: {"x": x, "y": np.arange(3)}, "x has 40 samples and labels of shape (3,)"),
        (lambda x: {"x": x[:0]}, "x holds no samples"),
        (lambda x: {"x": x[:1]}, "1 samples cannot be split"),
        (lambda _: {"x": np.array([{"a": 1}] * 4, object)}, "Object arrays cannot be loaded"),
    ],
)
def test_data_that_does_not_fit_is_one_error_that_names_it(arrays, x, change, said):
    path = arrays(**change(x))
    with pytest.raises(DataError) as raised:
        load(path)
    assert path in str(raised.value) or "cannot be split" in said
    assert said in str(raised.value)


@pytest.mark.parametrize("kept", [10, 1000])
def test_a_truncated_archive_is_one_error_that_names_it(arrays, x, tmp_path, kept):
    cut = tmp_path / "cut.npz"
    with open(arrays(x=x), "rb") as file:
        cut.write_bytes(file.read(kept))
    with pytest.raises(DataError, match=r"cut\.npz cannot be read"):
        load(cut)


@pytest.mark.parametrize("spec", ["nowhere", "nowhere.npz", "no_such_module_here:batches", "json:nothing"])
def test_data_that_is_not_there_is_one_error_that_names_it(spec):
    with pytest.raises(DataError, match=spec):
        load(spec)


def test_pixels_are_scaled_as_asked(arrays):
    pixels = np.arange(4 * 64, dtype=np.uint8).reshape(4, *SHAPE)
    spec = arrays(x_train=pixels, x_test=pixels)
    flat = pixels.astype(np.float64)
    for scaling, wanted in (("none", flat), ("0..1", flat / 255), ("-1..1", flat / 127.5 - 1), ("auto", flat / 255)):
        data = load(spec, scaling=scaling)
        assert data.evaluation_x.dtype == np.float32
        np.testing.assert_allclose(data.evaluation_x, wanted, atol=1e-6)
    np.testing.assert_array_equal(load(spec, signature(rescales=True)).evaluation_x, flat)


@pytest.mark.parametrize("first", [False, True])
def test_caffe_takes_the_channels_means_away_blue_first(arrays, first):
    picture = np.zeros((2, 3, 5, 4), np.uint8) + np.array([10, 20, 30], np.uint8)[:, None, None]
    picture = picture if first else picture.transpose(0, 2, 3, 1)
    data = load(arrays(x_train=picture, x_test=picture), signature(picture.shape[1:]), scaling="caffe")
    blue = data.evaluation_x[0, 0] if first else data.evaluation_x[0, :, :, 0]
    np.testing.assert_allclose(blue, 30 - 103.939, rtol=1e-6)


def test_floats_are_left_as_they_are(arrays, x):
    np.testing.assert_array_equal(load(arrays(x_train=x, x_test=x)).evaluation_x, x)


@pytest.mark.parametrize(
    "options", [{"scaling": "0-1"}, {"image_size": 0}, {"samples": 0}, {"evaluation_fraction": 1.0}]
)
def test_an_option_without_a_meaning_is_refused(options):
    with pytest.raises(DataError, match=str(next(iter(options.values())))):
        DataOptions(**options)


def test_a_function_returns_arrays_or_yields_batches(tmp_path, monkeypatch):
    (tmp_path / "mine_data.py").write_text(
        "import numpy as np\n"
        "x = np.random.default_rng(0).random((40, 8, 8, 1), np.float32)\n"
        "def alone(): return x\n"
        "def pair(): return x, np.arange(40) % 6\n"
        "def batches():\n"
        "    for start in range(0, 40, 16): yield x[start:start + 16], np.arange(40)[start:start + 16] % 6\n"
        "def broken(): raise KeyError('lost')\n"
    )
    monkeypatch.chdir(tmp_path)
    assert not load("mine_data:alone").is_labelled
    pair, batches = load("mine_data:pair"), load("mine_data:batches")
    np.testing.assert_array_equal(pair.evaluation_x, batches.evaluation_x)
    np.testing.assert_array_equal(pair.evaluation_y, batches.evaluation_y)
    with pytest.raises(DataError, match="mine_data:broken gave no data: KeyError: 'lost'"):
        load("mine_data:broken")


def picture(path, value, size=(8, 8)):
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path)


def test_a_folder_is_a_class_a_subfolder(tmp_path):
    for name, value in (("cat", 0), ("dog", 255)):
        for number in range(4):
            picture(tmp_path / name / f"{number}.png", value)
    data = load(tmp_path)
    for samples, labels in ((data.train_x, data.train_y), (data.evaluation_x, data.evaluation_y)):
        np.testing.assert_array_equal(samples[:, 0, 0, 0], labels.astype(np.float32))  # dog is class 1, and white


def test_folders_called_by_numbers_are_those_classes(tmp_path):
    for half in ("train", "val"):
        for label in (2, 5):
            picture(tmp_path / half / str(label) / "1.png", label)
    data = load(tmp_path, scaling="none")
    assert data.train_y.tolist() == data.evaluation_y.tolist() == [2, 5]
    assert data.evaluation_x[:, 0, 0, 0].tolist() == [2, 5]


def test_pictures_take_the_models_shape(tmp_path):
    for number in range(2):
        picture(tmp_path / "a" / f"{number}.png", 9, size=(40, 20))
    assert load(tmp_path, signature((10, 12, 3))).evaluation_x.shape == (1, 10, 12, 3)
    assert load(tmp_path, signature((3, 10, 12))).evaluation_x.shape == (1, 3, 10, 12)
    assert load(tmp_path, signature((None, None, 3)), image_size=6).evaluation_x.shape == (1, 6, 6, 3)
    with pytest.raises(DataError, match="say which with --image-size"):
        load(tmp_path, signature((None, None, 3)))


def test_a_picture_keeps_its_middle_square(tmp_path):
    from PIL import Image

    for number in range(2):
        wide = Image.new("L", (24, 8), 0)
        wide.paste(200, (8, 0, 16, 8))
        (tmp_path / "a").mkdir(exist_ok=True)
        wide.save(tmp_path / "a" / f"{number}.png")
    assert (load(tmp_path, scaling="none").evaluation_x == 200).all()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a/1.png": b"no picture"}, "1.png cannot be decoded"),
        ({"a/notes.txt": b"text"}, "holds no subfolders with pictures"),
    ],
)
def test_a_folder_without_usable_pictures_is_one_error(tmp_path, files, said):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=said):
        load(tmp_path)


def test_more_classes_than_outputs_are_one_error(tmp_path):
    for number in range(3):
        picture(tmp_path / str(number) / "1.png", 0)
    with pytest.raises(DataError, match="classes up to number 2"):
        load(tmp_path, signature(classes=2))
