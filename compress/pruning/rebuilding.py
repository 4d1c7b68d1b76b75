"""A functional model built again with some of its layers replaced, also those of models within it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from compress.errors import RecipeError
from compress.training import inputs_like

if TYPE_CHECKING:
    import keras

Instead = Callable[[Any], Callable[..., Any] | None]
"""From a layer to what is called in its place, once for each layer; to None where the layer stays."""


def graph_calls(model: keras.Model) -> Iterator[Any]:
    """Yield the nodes of a functional model, inputs first, those of models within it in place of the model's own.

    Raises `RecipeError` for a model whose forward pass is code.
    """
    graph = getattr(model, "_functional", None) or model
    if not hasattr(graph, "_nodes_by_depth"):
        raise RecipeError(
            f"{model.name} is no functional model ({type(model).__name__}): its forward pass is code, which cannot be "
            "followed; build it from layers as keras.Model(inputs, outputs)"
        )
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if hasattr(node.operation, "layers"):
                yield from graph_calls(node.operation)
            else:
                yield node


def rebuilt(model: keras.Model, instead: Instead) -> keras.Model:
    """Return `model` of new layers and the same weights, but for the layers that `instead` has another call for.

    Inputs keep their names, and layers that are called twice, or in two models, stay one. A model within the model
    becomes a plain functional model of its name: the class of a backbone would only build what it was.
    """
    import keras

    copies: dict[int, tuple[Any, Any]] = {}

    def copy(layer: Any) -> Any:
        if id(layer) not in copies:
            copies[id(layer)] = layer, instead(layer) or made(layer)
        return copies[id(layer)][1]

    def made(layer: Any) -> Any:
        graph = getattr(layer, "_functional", None) or layer
        if hasattr(graph, "_nodes_by_depth"):
            return keras.models.clone_model(
                graph, input_tensors=inputs_like(graph), clone_function=copy, call_function=_call
            )
        return type(layer).from_config(layer.get_config())

    smaller = made(model)
    for layer, new in copies.values():
        # an operation (x[:, 0]) has no weights, and a model within has those of its layers
        if type(new) is type(layer) and isinstance(layer, keras.layers.Layer) and not hasattr(layer, "layers"):
            new.set_weights(layer.get_weights())
            new.trainable = layer.trainable
    return smaller


def _call(layer: Any, *args: Any, **options: Any) -> Any:
    return layer(*args, **options)
