"""Attention masks that integers can hold: padding is told by -20 instead of by minus a billion.

Keras masks attention by -1e9, or by most of what float32 can hold, before the softmax. A tensor that holds this number
beside scores of -10 to 10 has one scale for all of them, 4e6 a step at int8 or more: every score becomes 0, every word
attends to all alike, and the network answers by chance, by any engine. Next to the largest score, e^-20 is below what
float32 can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, Literal
from unittest.mock import patch

from compress.errors import CompressError

Masks = Literal["bounded", "kept"]

BOUND = -20.0
LEAST = -1e4
"""What is below stands for minus infinity: Keras has -1e9 and -2.4e38, and -3e4 in half precision."""


FUNCTIONS = (
    ("keras.src.layers.activations.softmax", "_large_negative_number"),
    ("keras.src.backend.tensorflow.nn", "_get_large_negative"),
)
"""Where Keras 3.10 to 3.15 have their numbers: of the softmax layer, and of attention that is computed in one call.

Neither is public, and no public name leads to them.
"""


@dataclass
class Traced:
    """Whether tracing met a mask, or may have met one that could not be told."""

    masked: bool = False


@contextmanager
def attention_masks(*, bounded: bool) -> Iterator[Traced]:
    """Let Keras, as long as this lasts, trace its attention masks by `BOUND` if so asked, and tell whether it did.

    Raises `CompressError` when masks are to be bounded and this Keras has its numbers elsewhere.
    """
    found = Traced()
    owners = [_owner(*function) for function in FUNCTIONS]
    if not all(owners):
        if bounded:
            raise CompressError(_moved())
        found.masked = True
        yield found
        return
    with ExitStack() as patches:
        for owner, (_, function) in zip(owners, FUNCTIONS, strict=True):
            own = getattr(owner, function)

            def number(dtype: Any, own: Callable[[Any], Any] = own) -> Any:
                found.masked = True
                return own(dtype) * 0 + BOUND if bounded else own(dtype)

            patches.enter_context(patch.object(owner, function, number))
        yield found


def _owner(module: str, function: str) -> ModuleType | None:
    """Return the module that has `function`, or None when there is no such module or function."""
    try:
        found = import_module(module)
    except ModuleNotFoundError:
        return None
    return found if callable(getattr(found, function, None)) else None


def _moved() -> str:
    import keras

    gone = ", ".join(f"{module}.{name}" for module, name in FUNCTIONS if _owner(module, name) is None)
    return (
        f"Keras {keras.__version__} has no {gone}: what attention is masked by cannot be bounded for integers, which "
        "would lose it; install a Keras from 3.10 to 3.15, or, for a model without attention, use int8(masks=kept)"
    )


def bound_masks(proto: Any) -> None:
    """Write `BOUND` for the single numbers below -1e4 that an ONNX graph chooses or adds by its masks, in place."""
    import numpy as np
    from onnx import numpy_helper

    masking = {name for node in proto.graph.node if node.op_type in ("Where", "Add", "Mul") for name in node.input}
    for tensor in proto.graph.initializer:
        if tensor.name not in masking or int(np.prod(tensor.dims)) != 1:
            continue
        value = numpy_helper.to_array(tensor)
        if value.dtype.kind == "f" and value.item() < LEAST:
            tensor.CopyFrom(numpy_helper.from_array(np.full_like(value, BOUND), tensor.name))
