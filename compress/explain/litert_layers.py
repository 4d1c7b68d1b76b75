"""Quantize chosen layers of a float .tflite file with ai-edge-quantizer, whose recipes select operators by output name.

Files may have no names, and names may repeat, so every tensor gets one of its own first.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import CompressError
from compress.explain.layers import is_layer, source
from compress.quantization.tflite_names import without_names
from compress.runtime.graph import Graph, Node
from compress.runtime.tflite import read_graph

PRECISIONS = ("int8", "dynamic_range")


class LiteRTLayers:
    """A float .tflite file whose layers can be quantized one by one. Raises `CompressError` unless it is float32."""

    def __init__(self, content: bytes, precision: str) -> None:
        self._named = _with_names(content)
        self._precision = precision
        self._ranges: dict[str, Any] | None = None
        graph = read_graph(content)
        self._computed = {f"t{each.place}" for each in graph.tensors.values() if each.storage is None}
        nodes = weighted_layers(graph)
        self._scopes = {node.name: f"t{graph.tensors[node.name].place}" for node in nodes}
        self.layers = {node.name: node.op for node in nodes}

    def calibrate(self, runs: Iterable[tuple[NDArray[Any], ...]]) -> None:
        """Take each tensor's smallest and largest value over `runs`, once for every file that is written."""
        from ai_edge_litert.interpreter import Interpreter

        if self._precision != "int8":
            return
        interpreter = Interpreter(model_content=self._named, experimental_preserve_all_tensors=True, num_threads=1)
        interpreter.allocate_tensors()
        inputs = interpreter.get_input_details()
        details = [each for each in interpreter.get_tensor_details() if each["name"] in self._computed]
        details = [each for each in details if each["dtype"] == np.float32]
        ranks = {each["name"]: len(each["shape"]) for each in details}
        ends: dict[str, list[float]] = {}
        for run in runs:
            for place, values in zip(inputs, run, strict=True):
                interpreter.set_tensor(place["index"], np.asarray(values, place["dtype"]))
            interpreter.invoke()
            for each in details:
                values = interpreter.get_tensor(each["index"])
                if values.size:
                    low, high = ends.setdefault(each["name"], [np.inf, -np.inf])
                    ends[each["name"]] = [min(low, float(values.min())), max(high, float(values.max()))]
        self._ranges = {
            name: {end: np.full((1,) * ranks[name], value, np.float32) for end, value in (("min", low), ("max", high))}
            for name, (low, high) in ends.items()
        }

    def write(self, kept: Collection[str]) -> bytes:
        """Return the file with every operation quantized that the engine can, the layers in `kept` left in float."""
        return self._write(".*", kept)

    def write_only(self, layer: str) -> bytes:
        """Return the file with this layer alone quantized."""
        return self._write(_pattern([self._scopes[layer]]), ())

    def _write(self, scope: str, kept: Collection[str]) -> bytes:
        from ai_edge_quantizer import qtyping
        from ai_edge_quantizer.algorithm_manager import AlgorithmName
        from ai_edge_quantizer.quantizer import Quantizer

        quantizer = Quantizer(bytearray(self._named))
        every = qtyping.TFLOperationName.ALL_SUPPORTED
        if self._precision == "int8":
            quantizer.add_static_config(scope, every, activation_num_bits=8, weight_num_bits=8)
        else:
            quantizer.add_dynamic_config(scope, every, num_bits=8)
        if kept:
            excluded = _pattern([self._scopes[name] for name in kept])
            quantizer.update_quantization_recipe(excluded, every, algorithm_key=AlgorithmName.NO_QUANTIZE)
        done = quantizer.quantize(self._ranges, enable_progress_report=False)
        return without_names(bytes(done.quantized_model))


def weighted_layers(graph: Graph) -> list[Node]:
    """Return the operations that read a float kernel: a constant of two or more axes, behind whatever stores it."""
    return [node for node in graph.nodes if is_layer(node) and any(_is_kernel(graph, each) for each in node.inputs)]


def _is_kernel(graph: Graph, name: str) -> bool:
    tensor = graph.tensors.get(source(graph, name)) if name else None
    if tensor is None or tensor.storage is None or not tensor.dtype.startswith("float"):
        return False
    return len([size for size in tensor.shape or () if size > 1]) >= 2


def _pattern(names: list[str]) -> str:
    """Return what matches an operator's scope, its outputs' names with a semicolon behind each, for `names` alone."""
    return "(?:^|;)(?:" + "|".join(map(re.escape, names)) + ");"


def _with_names(content: bytes) -> bytes:
    """Return the same file with each tensor of graph 0 called ``t7`` by its place, those of others ``g1t7``."""
    import flatbuffers
    from ai_edge_litert.schema_py_generated import ModelT

    model = ModelT.InitFromPackedBuf(content, 0)
    for number, graph in enumerate(model.subgraphs):
        for place, tensor in enumerate(graph.tensors):
            tensor.name = f"g{number}t{place}" if number else f"t{place}"
            quantization = tensor.quantization
            if quantization is not None and quantization.scale is not None and len(quantization.scale):
                raise CompressError("the file is quantized already; name the float file of the network")
    for buffer in model.buffers:
        if buffer.offset > 1:  # data behind the flatbuffer moves inside
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    builder = flatbuffers.Builder(len(content) + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
