"""Transformers small enough to train in a test: two layers, width 16, four heads, fifty words; and texts for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from compress.records import records
from compress.subject import UNLABELLED, Dataset

if TYPE_CHECKING:
    import keras

LENGTH, WORDS, CLASSES = 12, 50, 3
LAYERS, HEADS, WIDTH, NEURONS = 2, 4, 16, 32
BACKBONES = ("BertBackbone", "XLMRobertaBackbone", "DistilBertBackbone", "GPT2Backbone")


def backbone(name: str, **changes: Any) -> Any:
    """Return a backbone of keras-hub's, called `name`, of the sizes above."""
    import keras_hub

    sizes = {
        "vocabulary_size": WORDS,
        "num_layers": LAYERS,
        "num_heads": HEADS,
        "hidden_dim": WIDTH,
        "intermediate_dim": NEURONS,
        "max_sequence_length": LENGTH,
        "dropout": 0.0,
    }
    return getattr(keras_hub.models, name)(**{**sizes, **changes}, name="backbone")


def classifier(name: str = "BertBackbone", seed: int = 0, **changes: Any) -> keras.Model:
    """Return a model that tells `CLASSES` classes of text by the mean of the hidden states, its weights from `seed`."""
    import keras

    names = ["token_ids", "padding_mask", *(["segment_ids"] if name == "BertBackbone" else [])]
    inputs = {each: keras.Input((LENGTH,), dtype="int32", name=each) for each in names}
    hidden = backbone(name, **changes)(inputs)
    if isinstance(hidden, dict):  # all that BERT gives is used, so that all of it is trained
        mean = keras.layers.GlobalAveragePooling1D(name="mean")(hidden["sequence_output"])
        pooled = keras.layers.Add(name="both")([mean, hidden["pooled_output"]])
    else:
        pooled = keras.layers.GlobalAveragePooling1D(name="mean")(hidden)
    return seeded(keras.Model(inputs, keras.layers.Dense(CLASSES, name="classes")(pooled), name="reader"), seed)


def writer(*, nested: bool = False) -> keras.Model:
    """Return a GPT-2 that gives a logit of each word at each place, by weights that are tied to its embedding."""
    import keras

    gpt2 = backbone("GPT2Backbone")
    inputs = {each: keras.Input((LENGTH,), dtype="int32", name=each) for each in gpt2.input} if nested else gpt2.input
    hidden = gpt2(inputs) if nested else gpt2.output
    return seeded(keras.Model(inputs, gpt2.token_embedding(hidden, reverse=True), name="writer"), 0)


def seeded(model: keras.Model, seed: int) -> keras.Model:
    """Return `model` with weights from `seed`, biases and normalisations included."""
    generator = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        start = 1.0 if weight.name == "gamma" else 0.0
        weight.assign(start + generator.normal(0, 0.3, weight.shape))
    return model


def texts(n: int = 240, *, words: int = WORDS, segments: bool = True, seed: int = 0) -> Dataset:
    """Return texts of 3 to 12 words from 3 on (0 pads, 1 is unknown), their class told by which of 3 words is in."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(3, LENGTH + 1, (n, 1))
    mask = (np.arange(LENGTH) < lengths).astype(np.int32)
    labels = draw.integers(CLASSES, size=n)
    ids = draw.integers(6, words, (n, LENGTH))
    ids[np.arange(n), draw.integers(0, lengths[:, 0])] = 3 + labels
    x = {"token_ids": (ids * mask).astype(np.int32), "padding_mask": mask}
    if segments:
        x["segment_ids"] = np.zeros_like(mask)
    packed = records(x)
    return Dataset("texts", packed[: n // 2], labels[: n // 2], packed[n // 2 :], labels[n // 2 :])


def continued(n: int = 80) -> Dataset:
    """Return texts whose next word is one more than the word, as labels of each place but padding."""
    draw = np.random.default_rng(0)
    ids = ((draw.integers(0, WORDS, (n, 1)) + np.arange(LENGTH + 1)) % WORDS).astype(np.int32)
    mask = np.ones((n, LENGTH), np.int32)
    labels = ids[:, 1:].astype(np.int64)
    labels[:, 0] = UNLABELLED
    x = records({"token_ids": ids[:, :-1], "padding_mask": mask})
    return Dataset("counting", x[: n // 2], labels[: n // 2], x[n // 2 :], labels[n // 2 :])


def answers(model: keras.Model, data: Dataset) -> Any:
    """Return the answers of a Keras model to the evaluation inputs of `data`."""
    from compress.ends import keras_inputs
    from compress.records import fields

    return model(keras_inputs(model, fields(data.evaluation_x)), training=False).numpy()
