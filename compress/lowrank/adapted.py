"""Models that compute with an adapter: beside a frozen base, to be trained or exchanged, or merged into its kernels.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1. Keras has its own `enable_lora`: on
an einsum layer it factorises only the kernel's last axis, ``A (768, 12, r), B (r, 64)`` for a query projection of 768
by 768. That update is of rank up to 12 r, and has 9,280 r parameters where the paper's has 1,536 r.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from compress.errors import RecipeError
from compress.lowrank.adapter import Adapter
from compress.lowrank.targets import Target, dense_layers, target_of
from compress.training import clone

if TYPE_CHECKING:
    import keras


def attached(model: keras.Model, adapter: Adapter) -> keras.Model:
    """Return a copy of `model` that computes with `adapter` beside its frozen kernels.

    Only the factors are trainable; batch normalisations keep their statistics, and use them in training too. Raises
    `RecipeError` when the model has no such layers, or a kernel has another shape.
    """
    import keras

    copy = clone(model)
    layers = _layers(copy, adapter)
    for layer in copy._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    for weight in copy.weights:
        weight.trainable = False
    for target, layer in layers:
        a, b = adapter.factors[target.path]
        # a built layer takes no new weights otherwise; Keras's own enable_lora does the same
        layer._tracker.unlock()
        layer.adapter_a = layer.add_weight(name="adapter_a", shape=a.shape, dtype="float32")
        layer.adapter_b = layer.add_weight(name="adapter_b", shape=b.shape, dtype="float32")
        layer._tracker.lock()
        layer.adapter_target, layer.adapter_scale = target, adapter.scale
        kind: Any = type(layer)
        layer.__class__ = _adapted(kind)
    exchange(copy, adapter)
    return copy


def exchange(model: keras.Model, adapter: Adapter | None) -> None:
    """Have a model of `attached` compute with another adapter, or with none, which is its base to the last bit.

    The other is of the same layers and at most the rank that was attached; a thinner one is filled with zeros.
    Raises `RecipeError` for any other.
    """
    for path, layer in _adapted_layers(model).items():
        a, b = np.zeros(layer.adapter_a.shape, np.float32), np.zeros(layer.adapter_b.shape, np.float32)
        if adapter is not None:
            _check_exchange(model, layer, path, adapter)
            given_a, given_b = adapter.factors[path]
            a[:, : adapter.rank], b[: adapter.rank] = given_a, given_b
            b *= np.float32(adapter.scale / layer.adapter_scale)
        layer.adapter_a.assign(a)
        layer.adapter_b.assign(b)


def adapter_of(model: keras.Model, alpha: float) -> Adapter:
    """Return what the factors of a model of `attached` are now, to be scaled by `alpha` over their rank."""
    layers = _adapted_layers(model)
    factors = {path: (layer.adapter_a.numpy(), layer.adapter_b.numpy()) for path, layer in layers.items()}
    return Adapter(next(iter(layers.values())).adapter_a.shape[1], alpha, factors)


def merged(model: keras.Model, adapter: Adapter) -> keras.Model:
    """Return a copy of `model` whose kernels have the adapter's update added: no layer, and no time, more than before.

    Raises `RecipeError` as `attached`.
    """
    copy = clone(model)
    for target, layer in _layers(copy, adapter):
        layer.kernel.assign(layer.kernel.numpy() + target.kernel(adapter.update(target.path)))
    return copy


def _check_exchange(model: keras.Model, layer: Any, path: str, adapter: Adapter) -> None:
    a, b = adapter.factors.get(path, (None, None))
    fits = (
        a is not None and b is not None and (len(a), b.shape[1]) == (layer.adapter_a.shape[0], layer.adapter_b.shape[1])
    )
    if not fits or adapter.rank > layer.adapter_a.shape[1] or len(adapter.factors) != len(_adapted_layers(model)):
        raise RecipeError(
            f"{model.name} was attached for other layers or a lower rank than this adapter's {adapter.rank}; "
            "attach it to the base"
        )


def _layers(model: keras.Model, adapter: Adapter) -> list[tuple[Target, Any]]:
    found, layers = dense_layers(model), []
    for path, (a, b) in adapter.factors.items():
        target = target_of(path, found[path]) if path in found else None
        if target is None or (target.inputs, target.outputs) != (len(a), b.shape[1]):
            raise RecipeError(
                f"{model.name} has no kernel of {len(a)} x {b.shape[1]} at {path}; the adapter is another's"
            )
        layers.append((target, found[path]))
    return layers


def _adapted_layers(model: keras.Model) -> dict[str, Any]:
    layers = {path: layer for path, layer in dense_layers(model).items() if hasattr(layer, "adapter_a")}
    if not layers:
        raise RecipeError(f"{model.name} computes with no adapter; attach one first")
    return layers


@cache
def _adapted(kind: type[Any]) -> type[Any]:
    """Return the subclass of a dense layer's class whose kernel is the base's and the adapter's update."""

    class Adapted(kind):  # type: ignore[misc]
        @property
        def kernel(self) -> Any:
            from keras import ops

            product = ops.matmul(self.adapter_a, self.adapter_b)
            return super().kernel + self.adapter_target.kernel(self.adapter_scale * product)

    return Adapted
