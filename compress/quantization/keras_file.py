"""Write Keras 3 weight files (.weights.h5): the weights only, packed into 4 bits or not, or with Adam's slots.

Layout after `keras.Model.save_weights`. Papers divide by both: Ishtiaq et al.'s small network by the weights alone,
their AlexNet by weights and slots, three times as much.
"""

from __future__ import annotations

import inspect
import math
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.ends import keras_inputs
from compress.errors import CompressError
from compress.quantization.quiet import quiet_conversion
from compress.records import fields, flat
from compress.training import clone

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset

BATCH = 128
MOST_VALUES = 2**21
"""Input values of a batch: all that lies between them and the answers is held for the gradient, 160 MB a sample of
ResNet50 at 224 pixels."""

_REMEDY = "write it with keras.Model.save_weights to see the error by itself"


def write_weights(model: keras.Model) -> bytes:
    """Return the content of a ``.weights.h5`` file with the model's weights; an optimizer's slots are left out.

    Raises `CompressError` when Keras cannot save the model.
    """
    with quiet_conversion("float32", "keras", _REMEDY):
        return _saved(model, optimizer=False)


def write_int4_weights(model: keras.Model, block: int | None, *, packs_embeddings: bool) -> bytes:
    """Return the content of a ``.weights.h5`` file with the weights as `keras.Model.quantize` packs them, two a byte.

    Scales and zero points are one a block of inputs, or, without a block, scales one an output. The file is loaded into
    a model that was quantized alike. Raises `CompressError` when this Keras has no int4 blocks, or the model no layer
    to pack.
    """
    with quiet_conversion("int4", "keras", "try another runtime"):
        packed = clone(model)
        packed.quantize(config=_int4_blocks(block), filters=None if packs_embeddings else _is_no_table)
        if not any(weight.dtype == "int8" for weight in packed.weights):
            raise CompressError(f"{model.name} has no dense layer or embedding table, so there is nothing to pack")
        return _saved(packed, optimizer=False)


def _int4_blocks(block: int | None) -> Any:
    import keras

    config = getattr(keras.quantizers, "Int4QuantizationConfig", None)
    if config is None or "block_size" not in inspect.signature(config).parameters:
        raise CompressError(
            f"int4@keras needs a Keras that packs weights in blocks, as 3.15 does, and this is {keras.__version__}; "
            "pip install --upgrade keras, or write for @onnx or @litert"
        )
    return config(activation_quantizer=None, block_size=block)


def _is_no_table(layer: keras.Layer) -> bool:
    import keras

    return not isinstance(layer, keras.layers.Embedding)


def write_checkpoint(model: keras.Model, data: Dataset, seed: int) -> bytes:
    """Return the content of a ``.weights.h5`` file with the weights and Adam's two slots a trainable variable.

    A model that was trained with Adam brings its slots. For any other they are those after one batch of training
    samples on a copy, drawn by `seed`: slots of zeros would compress to nothing, which no real checkpoint does. The
    batch has 128 samples, fewer of large ones (13 of 224x224x3).
    Raises `CompressError` when Keras cannot copy or save the model.
    """
    with quiet_conversion("checkpoint", "keras", _REMEDY):
        return _saved(model if _has_adam_slots(model) else _with_adam_slots(model, data, seed), optimizer=True)


def _has_adam_slots(model: keras.Model) -> bool:
    import keras

    optimizer = getattr(model, "optimizer", None)
    return isinstance(optimizer, keras.optimizers.Adam) and optimizer.built and int(optimizer.iterations) > 0


def _with_adam_slots(model: keras.Model, data: Dataset, seed: int) -> keras.Model:
    import keras
    import tensorflow as tf

    weights = model.get_weights()
    copy = keras.models.clone_model(model)
    copy.set_weights(weights)
    samples = min(_batch(flat(data.train_x[:1]).shape[1:]), len(data.train_x))
    chosen = np.random.default_rng(seed).choice(len(data.train_x), samples, replace=False)
    with tf.GradientTape() as tape:
        logits = copy(keras_inputs(copy, fields(data.train_x[chosen])), training=False)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(data.train_y[chosen], logits)
    optimizer = keras.optimizers.Adam()
    optimizer.apply(tape.gradient(loss, copy.trainable_variables), copy.trainable_variables)
    copy.compile(optimizer=optimizer)
    copy.set_weights(weights)
    return copy


def _batch(shape: tuple[int, ...]) -> int:
    """Return how many samples of `shape` make a batch: ``(28, 28, 1) -> 128``, ``(224, 224, 3) -> 13``."""
    return max(1, min(BATCH, MOST_VALUES // math.prod(shape)))


def _saved(model: keras.Model, *, optimizer: bool) -> bytes:
    """Return what Keras saves, written again without the layer counters that two copies of a model differ in."""
    import h5py

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.weights.h5"
        model.save_weights(path)
        with (
            h5py.File(path, "r") as source,
            h5py.File("model.weights.h5", "w", driver="core", backing_store=False) as target,
        ):
            _copy_group(source, target, optimizer=optimizer)
            target.flush()
            return bytes(target.id.get_file_image())


def _copy_group(source: Any, target: Any, *, optimizer: bool) -> None:
    import h5py

    if "name" in source.attrs:
        target.attrs["name"] = source.name.rsplit("/", 2)[-2] or "model"
    for name, item in sorted(source.items()):
        if name == "optimizer" and not optimizer and source.name == "/":
            continue
        if isinstance(item, h5py.Dataset):
            target.create_dataset(name, data=item[()])
        else:
            _copy_group(item, target.create_group(name), optimizer=optimizer)
