from __future__ import annotations

import gzip

import h5py
import numpy as np
import pytest

from compress.errors import CompressError, RecipeError
from compress.quantization.block_wise import Int4
from compress.quantization.export import Checkpoint, Float32
from compress.runtime.session import read_parts
from compress.subject import Dataset

PARAMETERS = 144 + 8 + 1152 + 16 + 2560 + 10


def sums(content):
    parts = read_parts(content, "keras")
    assert sum(part.bytes for part in parts) == len(content)
    weights = sum(part.bytes for part in parts if part.kind == "weights")
    slots = sum(part.bytes for part in parts if part.name.startswith("optimizer/"))
    return weights, slots


def test_weights_only_holds_four_bytes_a_parameter_and_no_optimizer(exported):
    assert sums(exported("cnn", Float32(), "keras")) == (4 * PARAMETERS, 0)


def test_a_checkpoint_holds_two_slots_a_parameter_the_step_count_and_the_rate(exported):
    assert sums(exported("cnn", Checkpoint(), "keras")) == (4 * PARAMETERS, 2 * 4 * PARAMETERS + 8 + 4)


def test_slots_of_a_checkpoint_do_not_compress_to_nothing(exported):
    weights, checkpoint = (len(gzip.compress(exported("cnn", step, "keras"))) for step in (Float32(), Checkpoint()))
    assert checkpoint > 2.2 * weights


@pytest.mark.parametrize(("side", "samples"), [(32, 128), (512, 2)])
def test_the_batch_behind_the_slots_shrinks_with_the_samples_size(monkeypatch, side, samples):
    import keras

    image = keras.Input((side, side, 3))
    network = keras.Model(image, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling2D()(image)))
    x, y = np.zeros((200, side, side, 3), np.float32), np.zeros(200, np.int64)
    seen, loss = [], keras.losses.SparseCategoricalCrossentropy.__call__

    def counted(self, labels, *rest, **named):
        seen.append(len(labels))
        return loss(self, labels, *rest, **named)

    monkeypatch.setattr(keras.losses.SparseCategoricalCrossentropy, "__call__", counted)
    Checkpoint().export(network, Dataset("zeros", x, y, x[:1], y[:1]), runtime="keras", seed=0)

    assert seen == [samples]


@pytest.mark.parametrize("step", [Float32(), Checkpoint()])
def test_two_models_of_the_same_weights_give_the_same_bytes(exported, another_model_of, data_of, step):
    again = step.export(another_model_of("cnn"), data_of("cnn"), runtime="keras", seed=0)
    assert again == exported("cnn", step, "keras")


@pytest.mark.parametrize("step", [Float32(), Checkpoint()])
def test_keras_loads_the_weights_back(exported, model_of, another_model_of, tmp_path, step):
    path = tmp_path / "model.weights.h5"
    path.write_bytes(exported("cnn", step, "keras"))
    model = another_model_of("cnn")
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    model.load_weights(path)
    for expected, found in zip(model_of("cnn").get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_trained_model_brings_its_own_slots(another_model_of, data_of, tmp_path):
    import keras

    model, data = another_model_of("mlp"), data_of("mlp")
    model.compile(keras.optimizers.Adam(), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(data.train_x, data.train_y, epochs=2, batch_size=50, verbose=0)
    path = tmp_path / "model.weights.h5"
    path.write_bytes(Checkpoint().export(model, data, runtime="keras", seed=0))
    with h5py.File(path) as file:
        for number, variable in enumerate(model.optimizer.variables):
            np.testing.assert_array_equal(file[f"optimizer/vars/{number}"][()], variable.numpy())
    assert sums(Float32().export(model, data, runtime="keras", seed=0)) == (4 * (2048 + 32 + 512 + 16 + 160 + 10), 0)


def test_writing_a_checkpoint_leaves_the_model_as_it_was(another_model_of, data_of):
    model = another_model_of("mlp")
    before = [w.copy() for w in model.get_weights()]
    Checkpoint().export(model, data_of("mlp"), runtime="keras", seed=0)
    assert getattr(model, "optimizer", None) is None
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_checkpoint_is_written_for_keras_only(model_of, data_of):
    with pytest.raises(RecipeError, match="checkpoint can be written for keras, not for 'litert'"):
        Checkpoint().export(model_of("mlp"), data_of("mlp"), runtime="litert", seed=0)


WORDS, WIDTH, UNITS = 40, 32, 10
"""Of a model of an embedding table and a dense layer."""


@pytest.fixture
def words():
    import keras

    keras.utils.set_random_seed(0)
    ids = keras.Input((6,), dtype="int32", name="ids")
    table = keras.layers.Embedding(WORDS, WIDTH, name="table")(ids)
    return keras.Model(ids, keras.layers.Dense(UNITS, name="dense")(keras.ops.mean(table, axis=1)), name="words")


def packed(model, step):
    x = np.zeros((2, 6), np.int32)
    return step.export(model, Dataset("ids", x, x[:, 0], x, x[:, 0]), runtime="keras", seed=0)


def bytes_by_type(content):
    found = {}
    for part in read_parts(content, "keras"):
        if part.kind == "weights":
            found[part.dtype] = found.get(part.dtype, 0) + part.bytes
    return found


def test_int4_weights_are_two_a_byte_with_a_scale_and_a_zero_a_block(words):
    found = bytes_by_type(packed(words, Int4(16)))

    codes, blocks = WORDS * WIDTH // 2 + WIDTH * UNITS // 2, WORDS * WIDTH // 16 + UNITS * WIDTH // 16
    bias, places = UNITS, 2 * WIDTH
    assert found == {"int8": codes + blocks, "float32": 4 * (blocks + bias + places)}


def test_int4_without_blocks_has_a_scale_an_output_and_no_zero(words):
    found = bytes_by_type(packed(words, Int4(granularity="channel")))

    assert found == {"int8": (WORDS * WIDTH + WIDTH * UNITS) // 2, "float32": 4 * (WORDS + UNITS + UNITS)}


def test_a_table_can_stay_float32(words):
    assert bytes_by_type(packed(words, Int4(16, embeddings="float32")))["float32"] > 4 * WORDS * WIDTH


@pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize` method:UserWarning")  # as Keras has it
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")  # as above
def test_a_model_that_was_quantized_alike_takes_the_file_and_answers_nearly_as_before(words, tmp_path):
    import keras

    (tmp_path / "words.weights.h5").write_bytes(packed(words, Int4(16)))
    before = words.get_weights()
    again = keras.models.clone_model(words)
    again.quantize(config=keras.quantizers.Int4QuantizationConfig(block_size=16))
    again.load_weights(tmp_path / "words.weights.h5")

    x = np.random.default_rng(0).integers(0, WORDS, (50, 6)).astype(np.int32)
    exact, found = words.predict(x, verbose=0), again.predict(x, verbose=0)
    assert 0 < ((found - exact) ** 2).mean() < 0.03 * (exact**2).mean()
    assert all((old == new).all() for old, new in zip(before, words.get_weights(), strict=True))


def test_a_keras_without_int4_blocks_is_told(words, monkeypatch):
    import keras

    monkeypatch.delattr(keras.quantizers, "Int4QuantizationConfig")
    with pytest.raises(CompressError, match=r"^int4@keras needs a Keras that packs weights in blocks, as 3\.15 does"):
        packed(words, Int4(16))


def test_gptq_and_models_with_nothing_to_pack_are_refused_for_keras(words):
    import keras

    with pytest.raises(RecipeError, match=r"int4\(method=gptq\) is for LiteRT and ONNX; leave the method out"):
        packed(words, Int4(16, method="gptq"))
    image = keras.Input((4, 4, 1))
    plain = keras.Model(image, keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(2, 3)(image)), name="plain")
    with pytest.raises(CompressError, match="plain has no dense layer or embedding table, so there is nothing to pack"):
        packed(plain, Int4(16))
