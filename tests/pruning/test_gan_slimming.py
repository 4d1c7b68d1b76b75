"""GAN slimming removes channels for real, keeps the rest as good as it was, and reaches the fraction that is asked."""

import numpy as np
import pytest

from compress.curve import recording
from compress.errors import DataError, RecipeError
from compress.pruning.channel_groups import find_channels
from compress.pruning.channels import without_channels
from compress.pruning.gan_slimming import GanSlim
from compress.pruning.rounded_model import rounding_calls
from compress.pruning.scales import Scales
from compress.recipe import Recipe
from compress.subject import Dataset, Training
from fixtures.cyclegan import generator

# Keras 3.15 saves through a Variable.__array__ that has no copy keyword, which numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

SIDE = 8


def small_generator():
    import keras

    keras.utils.set_random_seed(0)
    model = generator(6, 1, SIDE, affine=True, name="small")
    draw = np.random.default_rng(0)
    for layer in model.layers:
        if layer.name.endswith("_norm"):
            layer.gamma.assign(draw.uniform(0.1, 1, layer.gamma.shape))
            layer.beta.assign(draw.normal(size=layer.beta.shape))
    return model


def small_critic():
    import keras

    keras.utils.set_random_seed(1)
    picture = keras.Input((SIDE, SIDE, 3))
    return keras.Model(picture, keras.layers.Conv2D(1, 4, 2)(picture))


def pictures():
    draw = np.random.default_rng(0)
    made, real = (draw.uniform(-1, 1, (40, SIDE, SIDE, 3)).astype(np.float32) for _ in range(2))
    return Dataset("pictures", made[:32], real[:32], made[32:], real[32:])


TRAINING = Training(epochs=4, batch_size=8, learning_rate=1e-3, critic=small_critic)


def named(scales, layer):
    return next(gamma for _, gamma, _ in scales.layers if gamma.path.startswith(f"{layer}_norm/"))


def test_channels_whose_scales_and_shifts_are_zero_can_go_and_nothing_changes():
    model = small_generator()
    for layer, gone in (("c7", [0, 3]), ("r1_first", [1, 2, 5]), ("u1", [4])):
        norm = model.get_layer(f"{layer}_norm")
        for weight in (norm.gamma, norm.beta):
            values = weight.numpy()
            values[gone] = 0
            weight.assign(values)
    for norm in ("d4_norm", "r1_second_norm"):  # channel 7 of the stream that both add to
        for weight in model.get_layer(norm).weights:
            values = weight.numpy()
            values[7] = 0
            weight.assign(values)
    channels = find_channels(model)
    scales = Scales(model, channels)
    smaller = without_channels(model, channels, scales.alive())
    assert [smaller.get_layer(name).filters for name in ("c7", "d4", "r1_first", "r1_second", "u1")] == [
        4, 23, 21, 23, 5,
    ]  # fmt: skip
    given = pictures().train_x[:4]
    np.testing.assert_allclose(smaller(given), model(given), atol=2e-5)


def test_a_proximal_step_shortens_a_scale_by_its_threshold_and_a_shared_one_in_its_direction():
    model = small_generator()
    scales = Scales(model, find_channels(model))
    before = {name: named(scales, name).numpy() for name in ("c7", "d4", "r1_second")}
    shifts = model.get_layer("c7_norm").beta.numpy()
    scales.shrink(0.3)
    after = {name: named(scales, name).numpy() for name in before}
    np.testing.assert_allclose(after["c7"], np.maximum(before["c7"] - 0.3, 0), rtol=1e-5, atol=1e-7)
    assert (after["c7"] == 0).any()
    np.testing.assert_array_equal(model.get_layer("c7_norm").beta, np.where(after["c7"] == 0, 0, shifts))
    pair = np.stack([before["d4"], before["r1_second"]])
    length = np.linalg.norm(pair, axis=0)
    expected = pair * np.maximum(1 - 0.3 * np.sqrt(2) / length, 0)
    np.testing.assert_allclose(np.stack([after["d4"], after["r1_second"]]), expected, rtol=1e-5, atol=1e-7)


def test_parameters_are_counted_as_the_network_without_the_channels_has_them():
    model = small_generator()
    channels = find_channels(model)
    scales = Scales(model, channels)
    assert scales.parameters(np.ones(len(channels.fixed), bool)) == model.count_params()
    kept = scales.choose(0.5 * model.count_params())
    smaller = without_channels(model, channels, kept)
    assert scales.parameters(kept) == smaller.count_params()
    assert 0.4 * model.count_params() < smaller.count_params() <= 0.5 * model.count_params()


def test_the_smallest_scales_go_first():
    model = small_generator()
    channels = find_channels(model)
    kept = Scales(model, channels).choose(0.6 * model.count_params())
    for name in ("c7", "r1_first", "u2"):
        numbers = next(numbers for numbers, gamma, _ in Scales(model, channels).layers if f"{name}_norm" in gamma.path)
        gamma = model.get_layer(f"{name}_norm").gamma.numpy()
        stays = kept[numbers]
        assert not stays.all()
        assert gamma[~stays].max() < gamma[stays].min()


@pytest.mark.parametrize("bits", [32, 8])
def test_the_fraction_of_parameters_goes_and_the_given_generator_stays(bits):
    model = small_generator()
    before = [weight.copy() for weight in model.get_weights()]
    with recording() as made:
        slim = GanSlim(0.6, bits).transform(model, pictures(), TRAINING, seed=0)
    assert 0.25 * model.count_params() < slim.count_params() <= 0.4 * model.count_params()
    assert slim.output_shape == model.output_shape
    assert [layer.name for layer in slim.layers] == [layer.name for layer in model.layers]
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    curves = {curve.name: curve for curve in made.curves()}
    assert {curve.x for curve in curves.values()} == {(1, 2, 3, 4)}
    whole = sum(layer.gamma.shape[0] for layer in model.layers if layer.name.endswith("_norm"))
    left = sum(layer.gamma.shape[0] for layer in slim.layers if layer.name.endswith("_norm"))
    assert whole >= curves["channels left"].y[0] >= curves["channels left"].y[-1] == left


def test_the_same_seed_gives_the_same_generator():
    first, again = (GanSlim(0.5, epochs=2).transform(small_generator(), pictures(), TRAINING, seed=3) for _ in range(2))
    for one, other in zip(first.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_scales_that_nothing_holds_reach_zero_and_the_slimming_ends_when_enough_have():
    step = GanSlim(0.5, distillation=0.0, sparsity=40.0, epochs=8)
    with recording() as made:
        step.transform(small_generator(), pictures(), TRAINING, seed=0)
    (left,) = (curve for curve in made.curves() if curve.name == "channels left")
    assert left.y[0] == left.y[-1]  # in the first of the four epochs that it may take


def test_distillation_keeps_the_generator_near_to_the_given_one():
    model, data = small_generator(), pictures()
    far, near = (
        float(np.abs(step.transform(model, data, TRAINING, seed=0)(data.train_x) - model(data.train_x)).mean())
        for step in (GanSlim(0.5, distillation=0.0, epochs=20), GanSlim(0.5, distillation=50.0, epochs=20))
    )
    assert near < 0.8 * far


def test_a_rounded_model_answers_in_256_values_near_to_its_own_and_gradients_reach_every_kernel():
    import tensorflow as tf

    model = small_generator()
    call, given = rounding_calls(model), pictures().train_x[:4]
    with tf.GradientTape() as tape:
        seen = call(given)
        slopes = tape.gradient(tf.reduce_mean(seen**2), model.trainable_variables)
    assert len(np.unique(seen)) <= 256
    assert 0 < float(np.abs(seen - model(given)).mean()) < 0.1
    assert all(np.abs(slope).sum() > 0 for slope in slopes)


def test_a_generator_without_a_critic_scales_or_pictures_for_labels_is_refused():
    model, data = small_generator(), pictures()
    with pytest.raises(RecipeError, match="needs a critic"):
        GanSlim(0.5).transform(model, data, Training(), seed=0)
    labels = Dataset("labelled", data.train_x, np.zeros(32, int), data.evaluation_x, np.zeros(8, int))
    with pytest.raises(DataError, match="takes real pictures for labels"):
        GanSlim(0.5).transform(model, labels, TRAINING, seed=0)
    plain = generator(2, 1, SIDE, affine=False, name="plain")
    with pytest.raises(RecipeError, match="no channels that normalisations scale"):
        GanSlim(0.5).transform(plain, data, TRAINING, seed=0)
    with pytest.raises(RecipeError, match="ask for less"):
        GanSlim(0.999, epochs=2).transform(model, data, TRAINING, seed=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parameters_removed_fraction": 1.0}, "parameters_removed_fraction must be in"),
        ({"parameters_removed_fraction": 0.5, "bits": 4}, "bits must be 8 or 32, got 4"),
        ({"parameters_removed_fraction": 0.5, "sparsity": -1.0}, "sparsity must be a number from 0"),
        ({"parameters_removed_fraction": 0.5, "distillation": float("nan")}, "distillation must be a number from 0"),
        ({"parameters_removed_fraction": 0.5, "epochs": 1}, "at least 2"),
    ],
)
def test_a_step_that_makes_no_sense_is_refused(arguments, message):
    with pytest.raises(RecipeError, match=message):
        GanSlim(**arguments)


@pytest.mark.parametrize("text", ["gan_slim(0.82)", "gan_slim(0.82, bits=8) | int8", "gan_slim(0.5, epochs=3)@onnx"])
def test_its_text_prints_back(text):
    assert str(Recipe.parse(text)) == text
