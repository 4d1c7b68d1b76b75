"""Records: samples of several inputs as one array, and training, saving and teaching by them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import DataError, RecipeError
from compress.quantization.keras_file import write_checkpoint
from compress.records import are_records, by_input, fields, flat, records, shown
from compress.subject import UNLABELLED, Dataset, Training
from compress.training import next_token_loss, retrain

LENGTH, WORDS = 6, 12


@settings(deadline=None)
@given(st.integers(1, 9), st.lists(st.lists(st.integers(1, 4), max_size=3), min_size=1, max_size=4), st.integers(0, 99))
def test_arrays_come_back_as_they_were_whatever_is_drawn_from_the_records(n, shapes, seed):
    draw = np.random.default_rng(seed)
    arrays = {f"f{place}": draw.normal(size=(n, *shape)).astype(np.float32) for place, shape in enumerate(shapes)}
    packed = records(arrays)
    order = draw.permutation(n)
    assert len(packed) == n
    assert are_records(packed)
    for name, array in fields(packed[order]).items():
        np.testing.assert_array_equal(array, arrays[name][order])
    rows = np.concatenate([array.reshape(n, -1) for array in arrays.values()], axis=1)
    np.testing.assert_array_equal(flat(packed), rows)


def test_records_are_stored_without_pickle(tmp_path):
    packed = records({"ids": np.arange(6, dtype=np.int32).reshape(3, 2), "mask": np.ones(3, np.float32)})
    np.save(tmp_path / "x.npy", packed, allow_pickle=False)
    found = np.load(tmp_path / "x.npy", mmap_mode="r", allow_pickle=False)
    assert found.dtype.names == ("ids", "mask")
    np.testing.assert_array_equal(found["ids"], packed["ids"])


def test_a_plain_array_is_one_field_and_stays_what_keras_gets():
    x = np.zeros((2, 3), np.float32)
    assert fields(x, "image") == {"image": x}
    assert by_input(x) is x
    assert shown(x) == "(2, 3)"
    assert shown(records({"a": x, "b": x[:, 0]})) == "a (2, 3), b (2,)"


@pytest.mark.parametrize("arrays", [{}, {"a": np.zeros(2), "b": np.zeros(3)}, {"a": np.zeros(()), "b": np.zeros(1)}])
def test_arrays_of_different_lengths_make_no_records(arrays):
    with pytest.raises(DataError, match="have one length"):
        records(arrays)


def words(n=96, seed=0):
    """Return words and a mask; a sample is of class 1 when the words that the mask shows add up to an odd number."""
    draw = np.random.default_rng(seed)
    ids = draw.integers(1, WORDS, (n, LENGTH)).astype(np.int32)
    mask = (np.arange(LENGTH) < draw.integers(1, 3, (n, 1))).astype(np.int32)
    return records({"token_ids": ids, "padding_mask": mask}), (ids[:, 0] > 5).astype(np.int64)


@pytest.fixture(scope="module")
def dataset():
    x, y = words()
    return Dataset("words", x, y, x[:8].copy(), y[:8].copy())


def network(outputs, *, places=False):
    import keras
    from keras import layers, ops

    keras.utils.set_random_seed(3)
    ids = keras.Input((LENGTH,), dtype="int32", name="token_ids")
    mask = keras.Input((LENGTH,), dtype="int32", name="padding_mask")
    x = layers.Embedding(WORDS, 16, embeddings_initializer="random_normal")(ids)
    x = x * ops.expand_dims(ops.cast(mask, "float32"), -1)
    x = layers.Dense(32, activation="relu")(x if places else layers.Flatten()(x))
    return keras.Model({"token_ids": ids, "padding_mask": mask}, layers.Dense(outputs)(x))


@pytest.mark.parametrize("targets", ["labels", "teacher"])
def test_a_classifier_of_records_learns(dataset, targets):
    teacher = network(2)
    training = Training(batch_size=16, learning_rate=0.01)
    retrain(teacher, dataset, training, teacher=teacher, epochs=12, seed=0)
    student = network(2)
    student.set_weights([weight + np.float32(0.2) for weight in student.get_weights()])
    training = Training(batch_size=16, learning_rate=0.01, targets=targets)
    retrain(student, dataset, training, teacher=teacher, epochs=12, seed=0)
    for model in (teacher, student):
        answers = np.asarray(model(fields(dataset.train_x))).argmax(axis=1)
        assert (answers == dataset.train_y).mean() > 0.95


def test_a_model_that_continues_texts_learns_where_a_token_is_told_and_nowhere_else():
    import keras

    x, _ = words(64)
    told = x["token_ids"].astype(np.int64) % 3
    told[:, LENGTH // 2 :] = UNLABELLED
    x["padding_mask"][:] = 1
    data = Dataset("texts", x, told, x[:4].copy(), told[:4].copy())
    model = network(3, places=True)
    retrain(model, data, Training(batch_size=16, learning_rate=0.02), teacher=model, epochs=15, seed=0)
    answers = np.asarray(model(fields(x))).argmax(axis=-1)
    assert (answers == told)[told != UNLABELLED].mean() > 0.95
    logits = keras.ops.zeros((1, 4, 3))
    half_told = np.array([[0, 1, UNLABELLED, UNLABELLED]])
    assert float(next_token_loss(half_told, logits)) == pytest.approx(np.log(3))


def test_a_wrong_token_where_none_is_told_costs_nothing():
    logits = np.zeros((1, 3, 4), np.float32)
    logits[0, 0, 2] = logits[0, 2, 0] = 50
    labels = np.array([[2, UNLABELLED, UNLABELLED]])
    assert float(next_token_loss(labels, logits)) == pytest.approx(0, abs=1e-6)
    assert float(next_token_loss(np.array([[2, UNLABELLED, 1]]), logits)) == pytest.approx(25, rel=1e-3)


def test_a_model_that_continues_texts_has_no_teacher():
    x, _ = words(8)
    data = Dataset("texts", x, np.zeros((8, LENGTH), np.int64), x[:2].copy(), np.zeros((2, LENGTH), np.int64))
    model = network(3, places=True)
    with pytest.raises(RecipeError, match="trained by labels"):
        retrain(model, data, Training(targets="teacher"), teacher=model, epochs=1, seed=0)


def test_a_checkpoint_of_a_model_with_several_inputs_holds_adams_slots(dataset):
    from compress.runtime.session import read_parts

    model = network(2)
    parts = read_parts(write_checkpoint(model, dataset, 0), "keras")
    slots = sum(part.elements for part in parts if part.name.startswith("optimizer/") and part.elements > 1)
    assert slots == 2 * model.count_params()
