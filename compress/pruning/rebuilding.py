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
    graph = _graph(model)
    if graph is None:
        raise RecipeError(
            f"{model.name} is no functional model ({type(model).__name__}): its forward pass is code, which cannot be "
            "followed; build it from layers as keras.Model(inputs, outputs)"
        )
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if _graph(node.operation) is None:
                yield node
            else:
                yield from graph_calls(node.operation)


def _graph(layer: Any) -> Any:
    """Return the functional model that a layer is, or a sequential one has; None for a layer that is code."""
    graph = getattr(layer, "_functional", None) or layer
    return graph if hasattr(graph, "_nodes_by_depth") else None


def rebuilt(model: keras.Model, instead: Instead) -> keras.Model:
    """Return `model` of new layers and the same weights, but for the layers that `instead` has another call for.

    Inputs keep their names, and layers that are called twice, or in two models, stay one. A model within the model
    becomes a plain functional model of its name: the class of a backbone would only build what it was.
    """
    import keras

    made: dict[int, Any] = {}
    copied: list[tuple[Any, Any]] = []

    def copy(layer: Any) -> Any:
        if id(layer) not in made:
            made[id(layer)] = instead(layer) or again(layer)
        return made[id(layer)]

    def again(layer: Any) -> Any:
        graph = _graph(layer)
        if graph is not None:
            return keras.models.clone_model(
                graph, input_tensors=inputs_like(graph), clone_function=copy, call_function=_call
            )
        new = type(layer).from_config(layer.get_config())
        if isinstance(layer, keras.layers.Layer):  # an operation (x[:, 0]) has no weights
            copied.append((layer, new))
        return new

    smaller = again(model)
    for layer, new in copied:
        new.set_weights(layer.get_weights())
        new.trainable = layer.trainable
    return smaller


def _call(layer: Any, *args: Any, **options: Any) -> Any:
    return layer(*args, **options)
