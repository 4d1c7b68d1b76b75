"""The blocks of a transformer whose attention heads and feed-forward neurons can be told apart, and removed.

Blocks are keras-hub's ``TransformerEncoder`` and, without cross-attention, ``TransformerDecoder``: BERT, DistilBERT,
RoBERTa, XLM-R and GPT-2 are made of them. Vaswani et al. 2017, "Attention Is All You Need", sections 3.1 to 3.3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import RecipeError
from compress.pruning.rebuilding import graph_calls, rebuilt

if TYPE_CHECKING:
    import keras

Parts = NDArray[np.bool_]

_MASKS = ("padding_mask", "decoder_padding_mask")


@dataclass(frozen=True)
class Block:
    """A transformer layer; ``heads`` and ``neurons`` are how many it has."""

    layer: Any
    heads: int
    neurons: int

    @property
    def attention(self) -> Any:
        """The block's multi-head self-attention, whose output kernel is ``(heads, head size, width)``."""
        return self.layer._self_attention_layer

    @property
    def second(self) -> Any:
        """The dense layer that the neurons of the first feed, with a kernel ``(neurons, width)``."""
        return self.layer._feedforward_output_dense


@dataclass(frozen=True)
class Kept:
    """Which heads ``(heads,)`` and neurons ``(neurons,)`` of a block stay."""

    heads: Parts
    neurons: Parts


def find_blocks(model: keras.Model) -> tuple[Block, ...]:
    """Return the blocks of `model`, those of a backbone within it too, first to last; a shared one once.

    Raises `RecipeError` when there is none, or for one that is called with more than hidden states and a padding mask,
    as what a head does then is not in these weights alone.
    """
    found: dict[int, Block] = {}
    for node in graph_calls(model):
        layer = node.operation
        if not _is_block(layer):
            continue
        given = [name for name, value in node.arguments.kwargs.items() if value is not None and name not in _MASKS]
        if given or len(node.arguments.args) != 1 or getattr(layer, "_cross_attention_layer", None) is not None:
            raise RecipeError(
                f"{model.name}: {layer.name} has a cross-attention, or is called with {', '.join(given) or 'more'}; "
                "heads are removed from self-attention with a padding mask only"
            )
        neurons = layer._feedforward_output_dense.kernel.shape[0]
        found[id(layer)] = Block(layer, layer._self_attention_layer.num_heads, neurons)
    if not found:
        raise RecipeError(
            f"{model.name} has no transformer layer with heads to remove: the step takes models made of keras-hub's "
            "TransformerEncoder or TransformerDecoder, once; remove all that is to go in one step"
        )
    return tuple(found.values())


def _is_block(layer: Any) -> bool:
    # by name, as importing keras-hub takes seconds that no other model should pay
    return type(layer).__module__.startswith("keras_hub.") and type(layer).__name__ in (
        "TransformerEncoder",
        "TransformerDecoder",
    )


def without_parts(model: keras.Model, blocks: Sequence[Block], kept: Sequence[Kept]) -> keras.Model:
    """Return `model` rebuilt with only the heads and neurons that are `kept`, at least one of each in every block.

    A block becomes Keras's own layers - ``<block>_attention``, ``<block>_intermediate``, ``<block>_output`` and two
    normalisations - so that each may be of its own width, which keras-hub's block ties to the model's, and so that the
    model loads wherever Keras does. With all parts kept it computes what `model` does.
    """
    by_layer = {id(block.layer): (block, parts) for block, parts in zip(blocks, kept, strict=True)}
    made: dict[int, _Slim] = {}

    def instead(layer: Any) -> Callable[..., Any] | None:
        if id(layer) not in by_layer:
            return None
        if id(layer) not in made:
            made[id(layer)] = _Slim(*by_layer[id(layer)])
        return made[id(layer)]

    smaller = rebuilt(model, instead)
    for slim in made.values():
        slim.set_weights()
    return smaller


class _Slim:
    """A block as a call of stock layers, some of its heads and neurons left out."""

    def __init__(self, block: Block, kept: Kept) -> None:
        import keras

        given, self.block, self.kept = block.layer, block, kept
        own = {"dtype": given.dtype_policy, "trainable": given.trainable}

        def norm(name: str) -> Any:
            epsilon = given.layer_norm_epsilon
            return keras.layers.LayerNormalization(epsilon=epsilon, name=f"{given.name}_{name}", **own)

        self.is_causal = type(given).__name__ == "TransformerDecoder"
        self.mask_per_query = keras.layers.Reshape((1, -1), name=f"{given.name}_mask")
        self.attention = keras.layers.MultiHeadAttention(
            int(kept.heads.sum()), block.attention.key_dim, dropout=given.dropout, name=f"{given.name}_attention", **own
        )
        self.attention_norm = norm("attention_norm")
        self.first = keras.layers.Dense(
            int(kept.neurons.sum()), activation=given.activation, name=f"{given.name}_intermediate", **own
        )
        self.second = keras.layers.Dense(block.second.units, name=f"{given.name}_output", **own)
        self.norm = norm("norm")
        self.drop = keras.layers.Dropout(given.dropout, name=f"{given.name}_dropout") if given.dropout else _as_it_is

    def __call__(self, x: Any, padding_mask: Any = None, decoder_padding_mask: Any = None, **_: Any) -> Any:
        mask = padding_mask if decoder_padding_mask is None else decoder_padding_mask
        per_query = None if mask is None else self.mask_per_query(mask)
        if self.block.layer.normalize_first:
            x = x + self.attend(self.attention_norm(x), per_query)
            return x + self.feed(self.norm(x))
        x = self.attention_norm(x + self.attend(x, per_query))
        return self.norm(x + self.feed(x))

    def attend(self, x: Any, mask: Any) -> Any:
        return self.drop(self.attention(x, x, attention_mask=mask, use_causal_mask=self.is_causal))

    def feed(self, x: Any) -> Any:
        return self.drop(self.second(self.first(x)))

    def set_weights(self) -> None:
        """Set the weights of the layers, which their first call has built, to the block's that are kept."""
        given, heads, neurons = self.block.layer, self.kept.heads, self.kept.neurons
        old, new = self.block.attention, self.attention
        for name in ("query", "key", "value"):
            was, now = getattr(old, f"{name}_dense"), getattr(new, f"{name}_dense")
            now.set_weights([was.kernel.numpy()[:, heads], was.bias.numpy()[heads]])
        new.output_dense.set_weights([old.output_dense.kernel.numpy()[heads], old.output_dense.bias.numpy()])
        first, second = given._feedforward_intermediate_dense, self.block.second
        self.first.set_weights([first.kernel.numpy()[:, neurons], first.bias.numpy()[neurons]])
        self.second.set_weights([second.kernel.numpy()[neurons], second.bias.numpy()])
        self.attention_norm.set_weights(given._self_attention_layer_norm.get_weights())
        self.norm.set_weights(given._feedforward_layer_norm.get_weights())


def _as_it_is(x: Any) -> Any:
    return x
