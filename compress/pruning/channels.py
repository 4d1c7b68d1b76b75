"""Structured pruning: whole channels are removed, and the network is rebuilt without them (Li et al. 2017).

No masks stay: what comes back is a smaller network, faster wherever it runs. (Molchanov et al. 2017 and 2019 rank the
channels of all layers together against what each costs.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from compress.errors import RecipeError
from compress.pruning.channel_choice import choose_channels
from compress.pruning.channel_groups import Channels, find_channels
from compress.pruning.importance import Criterion, channel_importance
from compress.pruning.multiply_adds import multiply_adds
from compress.training import check_epochs, inputs_like, retrain

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training


@dataclass(frozen=True)
class PruneChannels:
    """Remove whole channels until the fraction ``macs_removed_fraction`` of the multiply-adds is gone, and retrain.

    Channels that are added to each other, or multiplied, go together; those of the model's inputs and outputs stay,
    and so do those that meet a layer that is not known to keep channels apart. ``criterion`` ranks them: ``taylor`` by
    what the loss would change by, ``l1`` by the norm of their filters, ``bn_scale`` by the scale that a
    BatchNormalization gives them. ``epochs`` is how long to retrain: none for as long as the subject's training says,
    0 for not at all.

    Raises `RecipeError` for a fraction outside [0, 1), an unknown criterion, or a negative count of epochs.
    """

    macs_removed_fraction: float
    criterion: Criterion = "taylor"
    epochs: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.macs_removed_fraction < 1:
            raise RecipeError(f"macs_removed_fraction must be in [0, 1), got {self.macs_removed_fraction}")
        if self.criterion not in get_args(Criterion):
            raise RecipeError(f"criterion must be one of {', '.join(get_args(Criterion))}, got {self.criterion!r}")
        check_epochs(self.epochs)

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:
        """Return a narrower and retrained copy of `model`, of the same layers, inputs and outputs.

        The same seed gives the same channels and weights. Raises `RecipeError` for a subclassed model, when the
        fraction cannot be reached, or when the model is no classifier, as the loss is cross-entropy.
        """
        channels = find_channels(model)
        importance = channel_importance(model, channels, self.criterion, data, seed)
        kept = choose_channels(channels, importance, self.macs_removed_fraction, multiply_adds(model))
        pruned = without_channels(model, channels, kept)
        epochs = training.epochs if self.epochs is None else self.epochs
        retrain(pruned, data, training, teacher=model, epochs=epochs, seed=seed)
        return pruned


def without_channels(model: keras.Model, channels: Channels, kept: NDArray[np.bool_]) -> keras.Model:
    """Return a copy of `model` that only has the channels that are `kept`, ``(len(channels.fixed),)`` by number.

    Layers get narrower by their own configuration, and weights lose the entries of the channels that are gone.
    """
    import keras

    def narrowed(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name in channels.widths:
            key, numbers = channels.widths[layer.name]
            width = int(kept[numbers].sum())
            config[key] = (*config[key][:-1], width) if key == "target_shape" else width
        return type(layer).from_config(config)

    inputs = None if isinstance(model, keras.Sequential) else inputs_like(model)
    smaller = keras.models.clone_model(model, inputs, narrowed)
    axes: dict[tuple[str, str], list[tuple[int, NDArray[np.bool_]]]] = {}
    for each in channels.slices:
        axes.setdefault((each.layer, each.weight), []).append((each.axis, kept[each.numbers]))
    for layer in model.layers:
        cut = [_cut(weight.numpy(), axes.get((layer.name, weight.name), [])) for weight in layer.weights]
        smaller.get_layer(layer.name).set_weights(cut)
    return smaller


def _cut(weight: NDArray[Any], axes: list[tuple[int, NDArray[np.bool_]]]) -> NDArray[Any]:
    for axis, kept in axes:
        weight = np.compress(kept, weight, axis)
    return weight
