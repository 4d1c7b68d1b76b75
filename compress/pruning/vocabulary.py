"""Vocabulary pruning: the embedding rows of tokens that the training data never uses go, the inputs stay as they were.

TextPruner (Yang et al. 2022, "TextPruner: A Model Pruning Toolkit for Pre-Trained Language Models") gives the tokens
that stay new ids in the tokenizer; here a table of integers does so in the model, and the tokenizer stays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError, RecipeError
from compress.pruning.rebuilding import graph_calls, rebuilt
from compress.records import fields

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset, Training

TOKENS = "token_ids"
"""The input whose embedding loses rows."""


@dataclass(frozen=True)
class PruneVocabulary:
    """Remove the embedding rows of tokens that the training inputs never use; such tokens become ``unknown``.

    ``unknown`` is the id of the tokenizer's token for what it does not know. It stays, as does id 0, which masks go by.
    ``fraction`` removes that fraction of all rows instead, the rarest in the training inputs first, of equally rare
    ones the higher id. Nothing is retrained: a text of tokens that stay gets the very outputs that it had.

    Raises `RecipeError` for a negative ``unknown`` or a fraction outside [0, 1).
    """

    unknown: int
    fraction: float | None = None

    def __post_init__(self) -> None:
        if self.unknown < 0:
            raise RecipeError(f"unknown must be a token's id, at least 0, got {self.unknown}")
        if self.fraction is not None and not 0 <= self.fraction < 1:
            raise RecipeError(f"fraction must be none or in [0, 1), got {self.fraction}")

    def transform(self, model: keras.Model, data: Dataset, training: Training, *, seed: int) -> keras.Model:  # noqa: ARG002
        """Return a model of a smaller embedding, of the same inputs: ``<embedding>_ids`` tells each token's new row.

        Raises `RecipeError` when the model has no embedding of an input named token_ids, or uses it to give logits as
        well; `DataError` for token ids that the embedding has no row for.
        """
        embedding = _token_embedding(model)
        rows = _weights(embedding).shape[0]
        if self.unknown >= rows:
            raise RecipeError(f"unknown={self.unknown} is no token of {model.name}, whose embedding has {rows} rows")
        kept = self._kept(_uses(data, rows))
        made: list[_Renamed] = []

        def instead(layer: Any) -> Callable[..., Any] | None:
            if layer is not embedding:
                return None
            made.append(_Renamed(layer, kept, self.unknown))
            return made[-1]

        smaller = rebuilt(model, instead)
        made[0].set_weights()
        return smaller

    def _kept(self, uses: NDArray[np.int64]) -> NDArray[np.bool_]:
        kept = uses > 0
        if self.fraction is not None:
            kept = np.ones(len(uses), np.bool_)
            rarest = np.lexsort((-np.arange(len(uses)), uses))
            may_go = rarest[~np.isin(rarest, (0, self.unknown))]
            kept[may_go[: round(len(uses) * self.fraction)]] = False
        kept[[0, self.unknown]] = True
        return kept


def new_ids(kept: NDArray[np.bool_], unknown: int) -> NDArray[np.int32]:
    """Return each token's id among the `kept`, that of `unknown` for all others: ``(10,) -> (10,)``."""
    ids = np.cumsum(kept) - 1
    return np.where(kept, ids, ids[unknown]).astype(np.int32)


def _uses(data: Dataset, rows: int) -> NDArray[np.int64]:
    """Return how often the training inputs use each token, ``(rows,)``."""
    inputs = fields(data.train_x, TOKENS)
    if TOKENS not in inputs or inputs[TOKENS].dtype.kind not in "iu":
        raise DataError(f"data set {data.name!r} has no integers called {TOKENS} to tell the vocabulary by")
    tokens = inputs[TOKENS]
    if tokens.min() < 0 or tokens.max() >= rows:
        raise DataError(
            f"data set {data.name!r}: token ids {tokens.min()}..{tokens.max()} do not fit an embedding of {rows} rows"
        )
    return np.bincount(tokens.ravel(), minlength=rows)


def _token_embedding(model: keras.Model) -> Any:
    found: dict[int, Any] = {}
    nodes = list(graph_calls(model))
    for node in nodes:
        origin = node.input_tensors[0]._keras_history.operation if node.input_tensors else None
        if origin is not None and origin.name == TOKENS and _weights(node.operation) is not None:
            found[id(node.operation)] = node.operation
    if len(found) != 1:
        raise RecipeError(f"{model.name} has {len(found)} embeddings of an input called {TOKENS}; one can be pruned")
    (embedding,) = found.values()
    inner = getattr(embedding, "token_embedding", embedding)
    uses = [node.arguments.kwargs for node in nodes if node.operation in (embedding, inner)]
    if any(options.get("reverse") for options in uses) or not getattr(inner, "tie_weights", True):
        raise RecipeError(
            f"{model.name} gives a logit for each row of {inner.name}: without rows its answers would mean other "
            "tokens; leave vocabulary out for a model that writes texts"
        )
    return embedding


def _weights(layer: Any) -> Any:
    """Return the token embedding's variable ``(rows, width)`` of an embedding layer, None for any other layer."""
    import keras

    inner = getattr(layer, "token_embedding", layer)
    return inner.embeddings if isinstance(inner, keras.layers.Embedding) else None


class _Renamed:
    """A token embedding of fewer rows behind the table of the tokens' new ids."""

    def __init__(self, layer: Any, kept: NDArray[np.bool_], unknown: int) -> None:
        import keras

        self.layer, self.kept, self.unknown = layer, kept, unknown
        config = layer.get_config()
        config["vocabulary_size" if "vocabulary_size" in config else "input_dim"] = int(kept.sum())
        self.smaller = type(layer).from_config(config)
        # the one lookup of integers that every exporter knows
        self.ids = keras.layers.Embedding(
            len(kept), 1, embeddings_initializer="zeros", dtype="int32", trainable=False, name=f"{layer.name}_ids"
        )
        self.flatten = keras.layers.Reshape((-1,), name=f"{layer.name}_flat")

    def __call__(self, tokens: Any, *args: Any, **options: Any) -> Any:
        return self.smaller(self.flatten(self.ids(tokens)), *args, **options)

    def set_weights(self) -> None:
        """Set the weights, which the first call has built, to the rows that are kept."""
        table = _weights(self.layer)
        self.smaller.set_weights(
            [weight.numpy()[self.kept] if weight is table else weight.numpy() for weight in self.layer.weights]
        )
        self.smaller.trainable = self.layer.trainable
        self.ids.set_weights([new_ids(self.kept, self.unknown)[:, None]])
