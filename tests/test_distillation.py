"""Retraining on the undamaged model's answers: against Hinton et al.'s arithmetic, and by what it does to weights."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from compress.conversions import Conversions, sharing
from compress.distillation import TEMPERATURE, distillation_loss, soft_targets
from compress.pruning.magnitude import Prune, Retrain
from compress.step import Transform
from compress.subject import Dataset, Training
from compress.tfmot.prune import TfmotPrune
from compress.training import clone, kernels, retrain

if TYPE_CHECKING:
    import keras

LABELS = Training(epochs=2, batch_size=32, learning_rate=1e-2)
TEACHER = replace(LABELS, targets="teacher", decay="cosine")

logits = hnp.arrays(np.float32, (3, 4), elements=st.floats(-5, 5, width=32))


class Answering:
    """A teacher that has been asked already."""

    def __init__(self, outputs: NDArray[np.float32]) -> None:
        self.outputs = outputs

    def predict(self, inputs: NDArray[np.float32], **_: Any) -> NDArray[np.float32]:
        return self.outputs[: len(inputs)]


class Watch:
    """Writes down the kernels before every step; holds them to nothing."""

    def __init__(self, steps: int) -> None:
        self.turns = range(1, steps + 1)
        self.seen: list[NDArray[np.float32]] = []

    def renew(self, model: keras.Model, step: int) -> None:
        assert step == len(self.seen) + 1
        self.seen.append(all_kernels(model))

    def project(self, path: str, kernel: Any) -> Any:  # noqa: ARG002 - a constraint's signature
        return kernel

    view = project


def all_kernels(model: keras.Model) -> NDArray[np.float32]:
    return np.concatenate([kernel.numpy().ravel() for kernel in kernels(model).values()])


def softmax(values: NDArray[Any]) -> NDArray[np.float64]:
    exponentials = np.exp(values.astype(np.float64))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def targets_of(teacher_logits: NDArray[np.float32], *, from_logits: bool) -> NDArray[np.float32]:
    outputs = teacher_logits if from_logits else softmax(teacher_logits).astype(np.float32)
    return soft_targets(Answering(outputs), np.zeros(3), from_logits=from_logits)  # type: ignore[arg-type]


def loss_and_gradient(
    targets: NDArray[np.float32], student_logits: NDArray[np.float32], *, from_logits: bool
) -> tuple[float, NDArray[np.float32]]:
    """The loss of a student, and what it says of each of its logits."""
    import tensorflow as tf

    values = tf.Variable(student_logits)
    with tf.GradientTape() as tape:
        outputs = values if from_logits else tf.nn.softmax(values)
        loss = distillation_loss(from_logits=from_logits)(targets, outputs)
    return float(loss), tape.gradient(loss, values).numpy()


@pytest.fixture(scope="module")
def data() -> Dataset:
    """150 noise images of four classes that say nothing of them, so that labels and a model's answers disagree."""
    generator = np.random.default_rng(0)
    return Dataset(
        "noise",
        generator.normal(size=(150, 8, 8, 1)).astype(np.float32),
        generator.integers(4, size=150),
        generator.normal(size=(20, 8, 8, 1)).astype(np.float32),
        generator.integers(4, size=20),
    )


@pytest.fixture(scope="module", params=["linear", "softmax"])
def model(request: pytest.FixtureRequest) -> keras.Model:
    """Two dense layers, ending in logits or in probabilities; without dropout, so that it can agree with itself."""
    import keras

    layers, glorot = keras.layers, keras.initializers.GlorotUniform
    image = keras.Input((8, 8, 1), name="image")
    hidden = layers.Dense(16, "relu", kernel_initializer=glorot(1), name="hidden")(layers.Flatten()(image))
    return keras.Model(image, layers.Dense(4, request.param, kernel_initializer=glorot(2), name="classes")(hidden))


def answers(model: keras.Model, data: Dataset) -> NDArray[np.float32]:
    outputs: NDArray[np.float32] = model.predict(data.train_x, verbose=0)
    return outputs


def change(step: Transform, model: keras.Model, data: Dataset, training: Training) -> tuple[float, float]:
    """The root mean squares that `step` changes answers and kernel weights by."""
    after = step.transform(model, data, training, seed=0)
    pairs = (softmax(answers(after, data)), softmax(answers(model, data))), (all_kernels(after), all_kernels(model))
    of_answers, of_kernels = (float(np.sqrt(np.mean(np.square(new - old)))) for new, old in pairs)
    return of_answers, of_kernels


@pytest.mark.parametrize(
    ("outputs", "from_logits"), [([3 * math.log(4), 0], True), ([64 / 65, 1 / 65], False)], ids=["logits", "softmax"]
)
def test_odds_of_64_to_1_are_softened_to_their_cube_root(outputs: list[float], from_logits: bool) -> None:
    assert TEMPERATURE == 3
    targets = soft_targets(Answering(np.float32([outputs])), np.zeros(1), from_logits=from_logits)  # type: ignore[arg-type]
    np.testing.assert_allclose(targets, [[0.8, 0.2]], atol=1e-6)


@settings(deadline=None)
@given(teacher=logits)
def test_soft_targets_are_probabilities_and_the_same_of_logits_and_of_softmax(teacher: NDArray[np.float32]) -> None:
    from_logits, from_softmax = (targets_of(teacher, from_logits=either) for either in (True, False))
    np.testing.assert_allclose(from_logits.sum(axis=1), 1, atol=1e-6)
    assert np.all(from_logits > 0)
    np.testing.assert_allclose(from_softmax, from_logits, atol=1e-5)


def test_a_probability_of_zero_has_a_finite_logarithm() -> None:
    targets = soft_targets(Answering(np.float32([[1, 0, 0]])), np.zeros(1), from_logits=False)  # type: ignore[arg-type]
    loss, gradient = loss_and_gradient(targets, np.float32([[500, -500, 0]]), from_logits=False)
    assert np.isfinite(targets).all()
    assert np.isfinite([loss, *gradient.ravel()]).all()


def test_the_loss_is_the_cross_entropy_times_the_temperature_squared() -> None:
    undecided = np.zeros((1, 2), np.float32)
    for from_logits in (True, False):
        loss, _ = loss_and_gradient(np.float32([[0.8, 0.2]]), undecided, from_logits=from_logits)
        assert loss == pytest.approx(9 * math.log(2))


@settings(deadline=None)
@given(teacher=logits, student=logits, from_logits=st.booleans())
def test_the_gradient_is_the_temperature_times_the_difference_of_softened_answers(
    teacher: NDArray[np.float32], student: NDArray[np.float32], from_logits: bool
) -> None:
    _, gradient = loss_and_gradient(targets_of(teacher, from_logits=from_logits), student, from_logits=from_logits)
    np.testing.assert_allclose(gradient, 3 * (softmax(student / 3) - softmax(teacher / 3)) / len(student), atol=1e-4)


@settings(deadline=None)
@given(teacher=logits, student=logits, from_logits=st.booleans())
def test_no_student_does_better_than_the_teacher_itself(
    teacher: NDArray[np.float32], student: NDArray[np.float32], from_logits: bool
) -> None:
    targets = targets_of(teacher, from_logits=from_logits)
    least, gradient = loss_and_gradient(targets, teacher, from_logits=from_logits)
    loss, _ = loss_and_gradient(targets, student, from_logits=from_logits)
    assert loss >= least - 1e-4
    np.testing.assert_allclose(gradient, 0, atol=1e-4)


@pytest.mark.parametrize("step", [Retrain(), TfmotPrune(0.0, initial_sparsity=0.0)], ids=["ours", "tfmot"])
def test_an_undamaged_model_stays_on_its_own_answers_and_moves_on_labels(
    step: Transform, model: keras.Model, data: Dataset
) -> None:
    """Adam turns what rounding leaves of a gradient into steps, so that weights drift, in no direction."""
    of_teacher = change(step, model, data, replace(TEACHER, decay="none"))
    of_labels = change(step, model, data, LABELS)
    assert of_teacher[0] < 0.3 * of_labels[0]
    assert of_teacher[1] < 0.5 * of_labels[1]


@pytest.mark.parametrize("step", [Retrain(), TfmotPrune(0.5)], ids=["ours", "tfmot"])
def test_labels_have_no_say_where_the_teacher_has(step: Transform, model: keras.Model, data: Dataset) -> None:
    others = replace(data, train_y=(data.train_y + 1) % 4)
    of_teacher = [all_kernels(step.transform(model, one, TEACHER, seed=0)) for one in (data, others)]
    of_labels = all_kernels(step.transform(model, data, LABELS, seed=0))
    np.testing.assert_array_equal(*of_teacher)
    assert not np.allclose(of_teacher[0], of_labels, atol=1e-3)


def test_a_pruned_model_comes_back_to_the_answers_of_the_undamaged_one(model: keras.Model, data: Dataset) -> None:
    def agreement(other: keras.Model) -> float:
        return float(np.mean(answers(model, data).argmax(axis=1) == answers(other, data).argmax(axis=1)))

    one_shot = Prune(0.7, epochs=0).transform(model, data, TEACHER, seed=0)
    retrained = Prune(0.7, epochs=10).transform(model, data, TEACHER, seed=0)
    assert agreement(retrained) > agreement(one_shot) + 0.1


@pytest.mark.parametrize("decay", ["cosine", "none"])
def test_a_cosine_takes_the_learning_rate_to_almost_zero_by_the_last_step(
    decay: Any, model: keras.Model, data: Dataset
) -> None:
    """All samples in one batch have nearly the same gradient each step, by which Adam moves at its learning rate."""
    steps = 10
    training = Training(epochs=steps, batch_size=150, learning_rate=1e-4, decay=decay)
    student, watch = clone(model), Watch(steps)
    retrain(student, data, training, teacher=model, epochs=steps, seed=0, constraint=watch)
    largest = np.abs(np.diff([*watch.seen, all_kernels(student)], axis=0)).max(axis=1)
    fraction = 0.5 * (1 + np.cos(np.pi * np.arange(steps) / steps)) if decay == "cosine" else np.ones(steps)
    np.testing.assert_allclose(largest, 1e-4 * fraction, rtol=0.05, atol=2e-7)


def test_a_teacher_answers_once_for_all_recipes_of_one_model():
    teacher, samples = Answering(np.float32([[0.2, 0.8]])), np.zeros(1)
    asked = []
    teacher.predict = lambda *_, **__: asked.append(1) or np.float32([[0.2, 0.8]])

    with sharing(teacher, Conversions()):
        first, again, others = (
            soft_targets(teacher, each, from_logits=False) for each in (samples, samples, np.ones(1))
        )
    alone = soft_targets(teacher, samples, from_logits=False)

    assert len(asked) == 3  # once for each of two data sets, and once where nothing is shared
    for each in (again, others, alone):
        np.testing.assert_array_equal(each, first)
