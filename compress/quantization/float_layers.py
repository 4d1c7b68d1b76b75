"""Layers that stay float in a file of integers: those that compute places, not features, and say so of themselves.

A Keras layer whose class has ``stays_float = True`` - the decoding of boxes, their overlaps, what is cut out at them -
is left in float by every engine; eight bits for coordinates, exponentials and areas at once would be of none of them.
Partial quantization after Wu et al. 2020, "Integer Quantization for Deep Learning Inference", section 6.1.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from unittest.mock import patch

from compress.model_file import ModelFile

if TYPE_CHECKING:
    import keras

FloatLayers = Literal["kept", "quantized"]

MARK = "/float"
"""End of the name of a tensor, or of a node, that such a layer computes, between converter and quantizer."""


def float_scopes(model: keras.Model | ModelFile) -> re.Pattern[str] | None:
    """Return what finds an operation's layer in its name, among those that stay float; None where no layer does."""
    if isinstance(model, ModelFile):
        return None
    names = [layer.name for layer in model._flatten_layers() if getattr(layer, "stays_float", False)]
    if not names:
        return None
    return re.compile(rf"(?:^|[/;])(?:{'|'.join(map(re.escape, names))})(?:_\d+)?/")


@contextmanager
def converter_leaving_float(scopes: re.Pattern[str] | None) -> Iterator[None]:
    """Let TensorFlow's converter, as long as this lasts, quantize no operation that `scopes` finds.

    Its quantizer takes such a list, and no option of the converter hands it one.
    """
    if scopes is None:
        yield
        return
    import tensorflow as tf

    converter = sys.modules[tf.lite.TFLiteConverter.__module__]
    quantize = converter._mlir_quantize

    def leaving(calibrated: bytes, *arguments: Any, **options: Any) -> Any:
        return quantize(calibrated, *arguments, **options, denylisted_nodes=_found(calibrated, scopes))

    with patch.object(converter, "_mlir_quantize", leaving):
        yield


def _found(content: bytes, scopes: re.Pattern[str]) -> set[str]:
    """Return the names of the tensors of a .tflite file that `scopes` finds."""
    from ai_edge_litert.schema_py_generated import ModelT

    graph = ModelT.InitFromPackedBuf(content, 0).subgraphs[0]
    names = ((tensor.name or b"").decode() for tensor in graph.tensors)
    return {name for name in names if scopes.search(name)}
