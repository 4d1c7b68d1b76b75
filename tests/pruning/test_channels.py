"""Channel pruning takes the multiply-adds it is asked to, evenly and by importance, and leaves a smaller network."""

import dataclasses
import itertools

import numpy as np
import pytest

from compress.build import build_artifact
from compress.curve import recording
from compress.errors import RecipeError
from compress.pruning.channel_choice import granularity
from compress.pruning.channels import PruneChannels
from compress.pruning.multiply_adds import multiply_adds
from compress.runtime.session import read_parts
from compress.store import Store
from compress.subject import Dataset, Subject, Training

# Keras 3.15 saves through a Variable.__array__ that has no copy keyword, which numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def images():
    generator = np.random.default_rng(0)
    prototypes = generator.normal(size=(4, 8, 8, 1))
    labels = generator.integers(4, size=300)
    x = (prototypes[labels] + generator.normal(size=(300, 8, 8, 1))).astype(np.float32)
    return Dataset("prototypes", x[:150], labels[:150], x[150:], labels[150:])


def residual_network():
    """Return a small residual classifier whose layers are 8 to 32 channels wide, of seeded weights."""
    import keras

    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, padding="same", name="stem")(image)
    x = layers.ReLU()(layers.BatchNormalization(name="stem_bn")(x))
    inner = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(32, 1, name="expand")(x)))
    inner = layers.ReLU()(layers.BatchNormalization()(layers.DepthwiseConv2D(3, padding="same", name="depth")(inner)))
    x = layers.Add()([x, layers.BatchNormalization()(layers.Conv2D(16, 1, name="project")(inner))])
    x = layers.MaxPooling2D(2)(layers.Conv2D(8, 3, activation="relu", name="last")(x))
    return keras.Model(image, layers.Dense(4, activation="softmax")(layers.Flatten()(x)), name="residual")


SUBJECT = Subject("residual", residual_network, images, lambda: "residual-1", parameters=0)


def accuracy(model, data):
    return float((np.asarray(model(data.evaluation_x)).argmax(1) == data.evaluation_y).mean())


@pytest.mark.parametrize(("fraction", "criterion"), [(0.25, "l1"), (0.5, "bn_scale"), (0.5, "taylor"), (0.75, "l1")])
def test_the_fraction_of_multiply_adds_goes_and_little_more(fraction, criterion):
    model = residual_network()
    pruned = PruneChannels(fraction, criterion, epochs=0).transform(model, images(), Training(), seed=0)
    left = multiply_adds(pruned) / multiply_adds(model)
    assert 1 - fraction - 0.12 < left <= 1 - fraction
    assert pruned.output_shape == model.output_shape
    assert [layer.name for layer in pruned.layers] == [layer.name for layer in model.layers]


def test_what_is_left_after_each_choice_of_channels_is_recorded_and_then_the_loss_of_each_epoch():
    model = residual_network()
    with recording() as made:
        pruned = PruneChannels(0.5, epochs=2).transform(model, images(), Training(), seed=0)
    channels, cost, loss = made.curves()
    assert (channels.name, cost.name, loss.name) == ("channels left", "multiply-adds left, %", "loss")
    assert channels.x == cost.x == tuple(range(len(channels.x)))
    lost = sum(model.get_layer(name).filters - pruned.get_layer(name).filters for name in ("expand", "project", "last"))
    assert channels.y[0] - channels.y[-1] == lost
    assert all(before > after for before, after in itertools.pairwise(channels.y[:-1]))
    assert cost.y[0] == 100
    assert cost.y[-1] == pytest.approx(100 * multiply_adds(pruned) / multiply_adds(model), rel=1e-5)
    assert loss.x == (1, 2)


def test_a_model_that_is_pruned_keeps_its_own_channels_and_weights():
    model = residual_network()
    before = model.get_weights()
    PruneChannels(0.5, epochs=1).transform(model, images(), Training(batch_size=64), seed=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_retraining_brings_back_what_losing_half_the_multiply_adds_cost():
    data, training = images(), Training(epochs=8, batch_size=32, learning_rate=1e-2)
    trained = PruneChannels(0).transform(residual_network(), data, training, seed=0)
    bare = PruneChannels(0.5, epochs=0).transform(trained, data, training, seed=0)
    pruned = PruneChannels(0.5).transform(trained, data, training, seed=0)
    assert multiply_adds(trained) == multiply_adds(residual_network())
    assert accuracy(bare, data) < accuracy(pruned, data)
    assert accuracy(pruned, data) >= accuracy(trained, data) - 0.05


def test_the_same_seed_gives_the_same_channels_and_weights():
    step = PruneChannels(0.5, epochs=1)
    one, other = (step.transform(residual_network(), images(), Training(), seed=3) for _ in range(2))
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_wide_layers_stay_multiples_of_the_blocks_that_kernels_compute_in():
    pruned = PruneChannels(0.75, "l1", epochs=0).transform(residual_network(), images(), Training(), seed=0)
    widths = {name: pruned.get_layer(name).filters for name in ("stem", "expand", "project")}
    assert widths["stem"] == widths["project"] < 16
    assert widths["expand"] < 32
    assert all(width % 4 == 0 for width in widths.values())
    assert [granularity(width) for width in (15, 16, 63, 64)] == [1, 4, 4, 8]


def test_no_layer_loses_more_than_nine_tenths_of_its_channels():
    model = residual_network()
    pruned = PruneChannels(0.9, "l1", epochs=0).transform(model, images(), Training(), seed=0)
    assert all(
        layer.filters >= 0.1 * model.get_layer(layer.name).filters
        for layer in pruned.layers
        if getattr(layer, "filters", 0)
    )


def test_channels_alike_leave_every_layer_at_about_the_same_fraction():
    import keras

    layers = keras.layers
    image = keras.Input((16, 16, 8))
    x = image
    for number, (width, stride) in enumerate([(64, 1), (64, 2), (128, 2), (128, 1)]):
        x = layers.Conv2D(width, 3, stride, padding="same", kernel_initializer="ones", name=f"conv{number}")(x)
    model = keras.Model(image, layers.Dense(4)(layers.GlobalAveragePooling2D()(x)))
    pruned = PruneChannels(0.5, "l1", epochs=0).transform(model, images(), Training(), seed=0)
    fractions = [pruned.get_layer(f"conv{n}").filters / model.get_layer(f"conv{n}").filters for n in range(4)]
    assert all(0.5 <= fraction <= 0.9 for fraction in fractions), fractions


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"macs_removed_fraction": 1}, r"macs_removed_fraction must be in \[0, 1\), got 1"),
        ({"macs_removed_fraction": -0.1}, "got -0.1"),
        ({"macs_removed_fraction": float("nan")}, "got nan"),
        ({"criterion": "random"}, "criterion must be one of taylor, l1, bn_scale, got 'random'"),
        ({"epochs": -1}, "epochs must be none or a whole number from 0, got -1"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused_with_its_value(change, message):
    with pytest.raises(RecipeError, match=message):
        dataclasses.replace(PruneChannels(0.5), **change)


@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_a_recipe_with_channel_pruning_writes_a_smaller_file(tmp_path, runtime):
    store = Store(tmp_path)
    whole, half = (
        build_artifact(store, SUBJECT, text) for text in (f"float32@{runtime}", f"channels(0.5, epochs=0)@{runtime}")
    )
    weights = [
        sum(part.bytes for part in read_parts(each.path.read_bytes(), runtime) if part.kind == "weights")
        for each in (whole, half)
    ]
    assert weights[1] < 0.75 * weights[0]


@pytest.mark.parametrize(
    ("name", "image", "options"),
    [
        ("MobileNetV2", (96, 96, 3), {"alpha": 0.35}),
        ("ResNet50", (64, 64, 3), {"classes": 10}),
        ("InceptionV3", (75, 75, 3), {"classes": 10}),
    ],
)
def test_published_architectures_get_narrower_and_are_saved_and_loaded(tmp_path, name, image, options):
    import keras

    model = getattr(keras.applications, name)(input_shape=image, weights=None, **options)
    pruned = PruneChannels(0.5, "l1", epochs=0).transform(model, images_of(image), Training(), seed=0)
    assert 0.48 < multiply_adds(pruned) / multiply_adds(model) <= 0.5
    pruned.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    x = np.random.default_rng(0).random((1, *image), np.float32)
    outputs = np.asarray(loaded(x))
    assert outputs.shape == (1, *model.output_shape[1:])
    np.testing.assert_allclose(outputs, pruned(x), rtol=1e-5, atol=1e-7)


def images_of(shape):
    """Return a data set of one black image of `shape` and class 0."""
    x, y = np.zeros((1, *shape), np.float32), np.zeros(1, np.int64)
    return Dataset("black", x, y, x, y)
