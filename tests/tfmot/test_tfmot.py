"""TFMOT's pruning, clustering and quantization-aware training on Keras 3 models, and ours against TFMOT's."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compress.curve import recording
from compress.errors import BridgeError, RecipeError
from compress.measure.size import sparsity
from compress.pruning.magnitude import Prune, Retrain
from compress.quantization.litert import write_litert
from compress.recipe import Recipe
from compress.runtime.session import read_parts
from compress.step import Transform
from compress.subject import Dataset, Training
from compress.tfmot.bridge import to_tf_keras
from compress.tfmot.cluster import Cluster
from compress.tfmot.prune import TfmotPrune
from compress.tfmot.qat import QuantizationAwareTraining
from compress.tfmot.training import import_tfmot
from compress.training import kernels

if TYPE_CHECKING:
    import keras


def kept(model: keras.Model) -> dict[str, list[int]]:
    """Flat indices of the nonzero weights of each kernel, by its layer's name."""
    return {path.split("/")[-2]: np.flatnonzero(kernel.numpy()).tolist() for path, kernel in kernels(model).items()}


def distance(one: keras.Model, other: keras.Model) -> float:
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return max(float(np.max(np.abs(a - b))) for a, b in pairs)


def accuracy(model: keras.Model, data: Dataset) -> float:
    return float(np.mean(np.argmax(model(data.evaluation_x).numpy(), axis=-1) == data.evaluation_y))


@pytest.mark.parametrize("schedule", ["polynomial", "constant"])
def test_tfmot_leaves_the_same_sparsity_in_each_layer_as_pruning_here(model, data, training, schedule: Any) -> None:
    ours = Prune(0.85, "layer", schedule).transform(model, data, training, seed=0)
    theirs = TfmotPrune(0.85, schedule).transform(model, data, training, seed=0)
    assert {path: len(each) for path, each in kept(ours).items()} == {"conv": 5, "dense": 86}
    assert {path: len(each) for path, each in kept(theirs).items()} == {"conv": 5, "dense": 86}


def test_a_training_by_tfmot_records_what_ours_does(model, data) -> None:
    def recorded(step: Transform) -> dict[str, tuple[float, ...]]:
        with recording() as made:
            step.transform(model, data, Training(epochs=2, batch_size=32), seed=0)
        return {curve.name: curve.y for curve in made.curves()}

    ours, theirs = recorded(Prune(0.75, "layer", "constant")), recorded(TfmotPrune(0.75, "constant"))
    assert list(theirs) == list(ours) == ["loss", "zeros in the kernels, %"]
    assert theirs["loss"] == pytest.approx(ours["loss"], rel=0.1)
    assert theirs["zeros in the kernels, %"] == ours["zeros in the kernels, %"]


def test_tfmot_keeps_the_same_weights_where_no_training_step_intervenes(model, data) -> None:
    still = Training(epochs=1, batch_size=32, learning_rate=0.0)
    assert kept(TfmotPrune(0.7).transform(model, data, still, seed=0)) == kept(
        Prune(0.7, "layer", epochs=0).transform(model, data, still, seed=0)
    )


def test_a_training_of_one_step_prunes_where_tfmots_own_default_prunes_nothing(model, data) -> None:
    import tf_keras

    one_step = Training(epochs=1, batch_size=1000)
    assert [len(each) for each in kept(TfmotPrune(0.9).transform(model, data, one_step, seed=0)).values()] == [4, 58]

    sparsity = import_tfmot().sparsity.keras
    wrapped = sparsity.prune_low_magnitude(to_tf_keras(model))
    wrapped.compile(tf_keras.optimizers.Adam(), "sparse_categorical_crossentropy")
    wrapped.fit(data.train_x, data.train_y, verbose=0, callbacks=[sparsity.UpdatePruningStep()])
    assert all(np.all(each) for each in sparsity.strip_pruning(wrapped).get_weights() if each.ndim > 1)


@pytest.mark.parametrize("init", ["linear", "density_based", "kmeans_plus_plus"])
def test_each_clustered_kernel_has_no_more_values_than_clusters(model, data, training, init: Any) -> None:
    untrained = Cluster(8, init, epochs=0).transform(model, data, training, seed=0)
    clustered = Cluster(8, init).transform(model, data, training, seed=0)
    for kernel in [*kernels(untrained).values(), *kernels(clustered).values()]:
        assert len(np.unique(kernel.numpy())) <= 8
    assert accuracy(clustered, data) > accuracy(untrained, data)


def test_a_kernel_of_fewer_weights_than_clusters_is_trained_but_not_clustered(model, data, training) -> None:
    clustered = Cluster(40).transform(model, data, training, seed=0)
    of_convolution, of_dense = (kernel.numpy() for kernel in kernels(clustered).values())
    assert len(np.unique(of_convolution)) == 36
    assert len(np.unique(of_dense)) <= 40
    assert np.all(of_convolution != next(iter(kernels(model).values())).numpy())


def test_clustering_a_pruned_model_can_hold_its_zeros(model, data, training) -> None:
    pruned = Prune(0.7, "layer").transform(model, data, training, seed=0)
    clustered = Cluster(4, preserve_sparsity=True).transform(pruned, data, training, seed=0)
    assert all(set(places) <= set(kept(pruned)[layer]) for layer, places in kept(clustered).items())
    assert all(3 <= len(np.unique(kernel.numpy())) <= 4 for kernel in kernels(clustered).values())
    assert distance(clustered, pruned) > 0


def folding_candidates() -> keras.Model:
    """Convolution and depthwise convolution with batch normalisation, a residual, and logits."""
    import keras

    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(4, 3, use_bias=False, name="conv")(inputs)
    x = layers.ReLU(6.0)(layers.BatchNormalization(name="conv_bn")(x))
    y = layers.DepthwiseConv2D(3, padding="same", name="depthwise")(x)
    y = layers.ReLU()(layers.BatchNormalization(name="depthwise_bn")(y))
    x = layers.Flatten()(layers.Add()([x, y]))
    return keras.Model(inputs, layers.Dense(4, name="dense")(x), name="folding")


def test_quantization_aware_training_brings_back_every_trained_weight(data) -> None:
    model, training = folding_candidates(), Training(epochs=6, batch_size=32, learning_rate=1e-2)
    before = {weight.path: weight.numpy() for weight in model.weights}
    trained = QuantizationAwareTraining().transform(model, data, training, seed=0)
    assert [layer.name for layer in trained.layers] == [layer.name for layer in model.layers]
    assert {weight.path for weight in trained.weights} == set(before)
    unmoved = [weight.path for weight in trained.weights if np.array_equal(weight.numpy(), before[weight.path])]
    assert unmoved == []
    assert accuracy(model, data) < 0.5 < 0.9 < accuracy(trained, data)


def nonzero(model: keras.Model) -> list[NDArray[np.bool_]]:
    return [kernel.numpy() != 0 for kernel in kernels(model).values()]


def test_quantization_aware_training_can_hold_the_zeros_of_a_pruned_model_into_the_file(data) -> None:
    training = Training(epochs=1, batch_size=32, learning_rate=1e-2)
    pruned = Prune(0.7, "layer", epochs=0).transform(folding_candidates(), data, training, seed=0)
    held = QuantizationAwareTraining(preserve_sparsity=True).transform(pruned, data, training, seed=0)
    refilled = QuantizationAwareTraining().transform(pruned, data, training, seed=0)
    for before, after, without in zip(nonzero(pruned), nonzero(held), nonzero(refilled), strict=True):
        assert np.array_equal(before, after)
        assert without.mean() > 0.6 > 0.4 > before.mean()
    assert all(
        np.mean(kernel.numpy()[mask] != before.numpy()[mask]) > 0.9
        for mask, before, kernel in zip(nonzero(pruned), kernels(pruned).values(), kernels(held).values(), strict=True)
    )
    content = write_litert(held, "int8", calibration=data.calibration(20))
    assert sparsity(read_parts(content, "litert")) >= 0.699


def test_quantization_aware_training_sees_other_weights_than_plain_training(data, training) -> None:
    import keras

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(4, name="dense")])
    aware = QuantizationAwareTraining().transform(model, data, training, seed=0)
    plain = Retrain().transform(model, data, training, seed=0)
    assert 1e-5 < distance(aware, plain) < 0.05
    assert len(np.unique(aware.get_layer("dense").kernel.numpy())) > 127, "weights come back before rounding"


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda layers, x: layers.SeparableConv2D(4, 3, name="separable")(x),
            "layer separable .*depthwise and a point",
        ),
        (lambda layers, x: layers.LayerNormalization(name="norm")(x), "TFMOT cannot quantize net: .*norm.*use int8"),
    ],
)
def test_what_tfmot_cannot_quantize_is_refused_by_name(data, training, build: Any, message: str) -> None:
    import keras

    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Flatten()(build(keras.layers, inputs))
    with pytest.raises(BridgeError, match=message):
        QuantizationAwareTraining().transform(
            keras.Model(inputs, keras.layers.Dense(4)(x), name="net"), data, training, seed=0
        )


def test_what_tfmot_cannot_prune_is_refused_by_name(data, training) -> None:
    import keras

    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv1DTranspose(2, 3, name="up")(keras.layers.Reshape((8, 8))(inputs))
    model = keras.Model(inputs, keras.layers.Dense(4)(keras.layers.Flatten()(x)))
    with pytest.raises(BridgeError, match="TFMOT cannot wrap layer up: "):
        TfmotPrune(0.5).transform(model, data, training, seed=0)


@pytest.mark.parametrize("step", [TfmotPrune(0.5), Cluster(4)])
def test_layers_of_nested_models_are_compressed_too(data, step: Transform) -> None:
    import keras

    layers = keras.layers
    inner = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(6, name="deep")], name="inner")
    model = keras.Sequential([keras.Input((8, 8, 1)), inner, layers.Dense(4, name="shallow")])
    for kernel in kernels(step.transform(model, data, Training(1, 150), seed=0)).values():
        assert len(np.unique(kernel.numpy())) <= (4 if isinstance(step, Cluster) else kernel.numpy().size // 2 + 1)


@pytest.mark.parametrize("step", [TfmotPrune(0.5), Cluster(4, "kmeans_plus_plus"), QuantizationAwareTraining()])
def test_a_seed_fixes_the_weights_and_the_given_model_keeps_its_own(data, step: Transform) -> None:
    import keras

    layers, training = keras.layers, Training(1, 64, 1e-2)
    model = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dropout(0.2), layers.Dense(4)])
    before = model.get_weights()
    once = step.transform(model, data, training, seed=3)
    assert all(np.array_equal(one, other) for one, other in zip(model.get_weights(), before, strict=True))
    assert distance(once, step.transform(model, data, training, seed=3)) == 0
    assert distance(once, step.transform(model, data, training, seed=4)) > 0


def test_pythons_and_numpys_random_states_are_given_back(model, data) -> None:
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - read, not drawn from
    Cluster(4).transform(model, data, Training(1, 150), seed=0)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002 - read, not drawn from


def test_importing_tfmot_changes_neither_tf_keras_nor_the_environment() -> None:
    code = (
        "import os, warnings; warnings.simplefilter('ignore')\n"
        "from compress.tfmot.training import import_tfmot\n"
        "import_tfmot()\n"
        "import keras, tensorflow as tf\n"
        "print(tf.keras.Model is keras.Model, os.environ.get('TF_USE_LEGACY_KERAS'))\n"
    )
    environment = {key: value for key, value in os.environ.items() if key != "TF_USE_LEGACY_KERAS"}
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["True", "None"]


def test_a_missing_tfmot_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow_model_optimization", None)
    with pytest.raises(BridgeError, match=r"pip install 'compress-bench\[tfmot\]'"):
        import_tfmot()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: TfmotPrune(1.0), r"sparsity must be in \[0, 1\), got 1.0"),
        (lambda: TfmotPrune(0.5, epochs=0), "epochs must be none or at least 1, got 0"),
        (lambda: TfmotPrune(0.5, "linear"), "schedule must be one of polynomial, constant, got 'linear'"),
        (lambda: Cluster(1), "clusters must be a whole number from 2, got 1"),
        (lambda: Cluster(2, preserve_sparsity=True), "clusters must be a whole number from 3, got 2"),
        (lambda: Cluster(8, "random"), "init must be one of linear, density_based, kmeans_plus_plus, got 'random'"),
        (lambda: QuantizationAwareTraining(0), "epochs must be none or at least 1, got 0"),
    ],
)
def test_a_step_that_cannot_be_is_refused_at_construction(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build()


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("tfmot_prune(0.9)", TfmotPrune(0.9)),
        ("cluster(32, init=kmeans_plus_plus)", Cluster(32, "kmeans_plus_plus")),
        ("cluster(32, preserve_sparsity=true)", Cluster(32, preserve_sparsity=True)),
        ("qat(3)", QuantizationAwareTraining(3)),
        ("qat(preserve_sparsity=true)", QuantizationAwareTraining(preserve_sparsity=True)),
    ],
)
def test_a_step_is_spelt_by_its_parameters(text: str, step: Transform) -> None:
    assert Recipe.parse(text).transforms == (step,)
    assert str(Recipe.parse(text)) == text
