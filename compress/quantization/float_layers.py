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

    Its quantizer takes such a list, and no option of the converter hands it one. It first gives what a slice was
    cut from the range of the slice, though both stay float; so that nothing before a float layer is clipped by what
    happens within, the ranges that were seen there are taken away.
    """
    if scopes is None:
        yield
        return
    import tensorflow as tf

    converter = sys.modules[tf.lite.TFLiteConverter.__module__]
    quantize = converter._mlir_quantize

    def leaving(calibrated: bytes, *arguments: Any, **options: Any) -> Any:
        content, names = _without_inner_ranges(calibrated, scopes)
        return quantize(content, *arguments, **options, denylisted_nodes=names)

    with patch.object(converter, "_mlir_quantize", leaving):
        yield


def _without_inner_ranges(content: bytes, scopes: re.Pattern[str]) -> tuple[bytes, set[str]]:
    """Return a calibrated .tflite file without the ranges of what only float layers read, and what those compute."""
    import flatbuffers
    from ai_edge_litert.schema_py_generated import ModelT

    model = ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    names = [(tensor.name or b"").decode() for tensor in graph.tensors]
    inner = float_tensors(model, scopes)
    read_by_others = {int(place) for place in graph.outputs}
    for operator in graph.operators:
        if not inner.issuperset(map(int, operator.outputs)):
            read_by_others.update(map(int, operator.inputs))
    for place in inner - read_by_others:
        graph.tensors[place].quantization = None
    builder = flatbuffers.Builder(len(content) + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output()), {names[place] for place in inner}


def float_tensors(model: Any, scopes: re.Pattern[str]) -> set[int]:
    """Return the tensors of a .tflite file's tables that the layers of `scopes` compute, by their place.

    A model's outputs have lost their layer's name: they are what is computed from such tensors alone.
    """
    graph = model.subgraphs[0]
    names = [(tensor.name or b"").decode() for tensor in graph.tensors]
    found = {place for place, name in enumerate(names) if scopes.search(name)}
    computed = {int(place) for operator in graph.operators for place in operator.outputs}
    ends = set(map(int, graph.outputs))
    for operator in graph.operators:
        given, made = computed.intersection(map(int, operator.inputs)), set(map(int, operator.outputs))
        if ends & made and given and given <= found:
            found |= made
    return found
