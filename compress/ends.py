"""The ends of a model - what it takes and gives - by the names that its files and its samples go by.

One tensor is called ``input`` in every file, and one answer ``output``; several keep the names that the model gives
them, by which samples (`compress.records`) are told apart.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from compress.errors import CompressError

if TYPE_CHECKING:
    import keras

INPUT_NAME = "input"
OUTPUT_NAME = "output"


@dataclass(frozen=True)
class Input:
    """An input: ``shape`` with the batch dimension first, ``(None, 28, 28, 1)``; ``dtype`` is numpy's name."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


@dataclass(frozen=True)
class Ends:
    """The inputs of a model and the names of its outputs."""

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]

    @property
    def are_single(self) -> bool:
        """Whether there is one input and one output."""
        return len(self.inputs) == len(self.outputs) == 1


def keras_ends(model: keras.Model) -> Ends:
    """Return what a Keras model takes and gives. Raises `CompressError` when a model is not built."""
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if not inputs or not outputs:
        raise CompressError(
            f"model {model.name!r} has {len(inputs)} inputs and {len(outputs)} outputs; build it with keras.Input"
        )
    named = names_of(
        keyed(_structure(model, "input")) or [tensor._keras_history.operation.name for tensor in inputs], INPUT_NAME
    )
    given = keyed(_structure(model, "output")) or [tensor._keras_history.operation.name for tensor in outputs]
    found = tuple(
        Input(name, tuple(tensor.shape), str(tensor.dtype)) for name, tensor in zip(named, inputs, strict=True)
    )
    return Ends(found, tuple(names_of(given, OUTPUT_NAME)))


def _structure(model: keras.Model, end: str) -> Any:
    """Return the tensor, list or dictionary of a model's ``input`` or ``output``."""
    try:
        return getattr(model, end)
    except AttributeError:  # a Sequential that was never called
        return getattr(model, f"{end}s")[0]


def keyed(structure: Any) -> list[str]:
    """Return the keys of a dictionary of tensors in Keras' order of them, sorted; nothing for any other structure."""
    if not isinstance(structure, dict) or not all(hasattr(value, "shape") for value in structure.values()):
        return []
    return sorted(structure)


def names_of(given: Sequence[str], alone: str) -> list[str]:
    """Return the names that ends go by in files: `alone` for one, else the given ones, told apart, as identifiers."""
    if len(given) == 1:
        return [alone]
    found: list[str] = []
    for name in given:
        plain = re.sub(r"\W", "_", name)
        plain = f"{alone}_{plain}" if plain[:1].isdigit() else plain or alone
        number, unique = 1, plain
        while unique in found:
            unique, number = f"{plain}_{number}", number + 1
        found.append(unique)
    return found


def end_name(tensor: str) -> str:
    """Return what an end is called whose tensor converters named: ``serving_default_mask:0`` is ``mask``."""
    return re.sub(r":\d+$", "", tensor).removeprefix("serving_default_")


def keras_inputs(model: keras.Model, x: Mapping[str, Any]) -> Any:
    """Return the tensors or arrays `x`, by the names of `keras_ends`, in the structure that `model` is called with."""
    import keras

    names = [one.name for one in keras_ends(model).inputs]
    if missing := [name for name in names if name not in x]:
        raise CompressError(f"{model.name} takes {', '.join(names)}, and the samples have no {', '.join(missing)}")
    return keras.tree.pack_sequence_as(_structure(model, "input"), [x[name] for name in names])


def parameters_named(names: Sequence[str]) -> inspect.Signature:
    """Return the signature of a function of `names`, after which TensorFlow names what the function takes."""
    return inspect.Signature([inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in names])
