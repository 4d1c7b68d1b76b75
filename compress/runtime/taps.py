"""Run a model file, whatever its inputs and outputs are, and read any of its tensors as floats.

For tensors inside, nothing is fused or delegated, so that each exists: LiteRT's builtin kernels without XNNPACK, with
``experimental_preserve_all_tensors``; ONNX Runtime with graph optimizations off and the values asked for as outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError, ModelFileError
from compress.runtime.graph import Graph
from compress.runtime.litert import dequantize, quantize
from compress.runtime.onnx_codes import scale_and_zero_point
from compress.runtime.onnx_file import constants, parse
from compress.runtime.session import prepare, read_graph


class Taps(Protocol):
    """A loaded model whose tensors can be read after a run."""

    def run(self, feeds: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Return the tensors that were asked for, as floats, after one run on an array for each input."""
        ...


def open_taps(content: bytes, runtime: str, names: Sequence[str], *, fused: bool = False) -> Taps:
    """Return a session on a file's `content` that reads the tensors called `names`, inner ones too, after each run.

    A `fused` one computes as the runtime does in earnest: ONNX Runtime as far as these tensors let it, LiteRT where
    they are outputs. Raises `ModelFileError` when the file does not load, or has no tensor of such a name.
    """
    prepare(runtime)
    graph = read_graph(content, runtime)
    for name in names:
        if name not in graph.tensors:
            raise ModelFileError(f"no tensor {name!r} in the file")
    kind = _LiteRTTaps if runtime == "litert" else _ONNXTaps
    outputs = all(name in graph.outputs for name in names)
    return kind(content, graph, names, inside=not fused or (runtime == "litert" and not outputs))


class _LiteRTTaps:
    def __init__(self, content: bytes, graph: Graph, names: Sequence[str], *, inside: bool) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if inside else OpResolverType.AUTO
        try:
            self._interpreter = Interpreter(
                model_content=content,
                num_threads=1,
                experimental_preserve_all_tensors=inside,
                experimental_op_resolver_type=kernels,
            )
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelFileError(f"LiteRT cannot load the .tflite file: {error}") from error
        details = {entry["index"]: entry for entry in self._interpreter.get_tensor_details()}
        self._inputs = self._interpreter.get_input_details()
        places = [graph.tensors[name].place for name in names]
        if absent := [name for name, place in zip(names, places, strict=True) if place not in details]:
            raise ModelFileError(f"LiteRT shows no tensor {absent[0]!r}: it belongs to an inner graph")
        self._read = [details[place] for place in places]

    def run(self, feeds: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        for detail, values in zip(self._inputs, feeds, strict=True):
            if tuple(detail["shape"]) != values.shape:
                self._interpreter.resize_tensor_input(detail["index"], values.shape, strict=True)
                self._interpreter.allocate_tensors()
            self._interpreter.set_tensor(detail["index"], quantize(values, detail))
        self._interpreter.invoke()
        return [dequantize(self._interpreter.get_tensor(each["index"]), each) for each in self._read]


class _ONNXTaps:
    def __init__(self, content: bytes, graph: Graph, names: Sequence[str], *, inside: bool) -> None:
        import onnxruntime
        from onnx import helper, numpy_helper

        model = parse(content)
        there = {value.name for value in model.graph.output}
        for name in dict.fromkeys(names):
            if name not in there:
                model.graph.output.append(helper.make_empty_tensor_value_info(name))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # fatal: everything below also comes as an exception
        if inside:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            content = model.SerializeToString()
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base class of their own
            raise ModelFileError(f"ONNX Runtime cannot load the .onnx file: {error}") from error
        self._names = list(names)
        self._inputs = [(name, np.dtype(graph.dtype(name) or "float32")) for name in graph.inputs]
        held, _ = constants(model)
        self._codes: dict[str, tuple[NDArray[Any], NDArray[Any]]] = {}
        for name in names:
            if (ends := scale_and_zero_point(graph, name)) is not None:
                scale, zero = (numpy_helper.to_array(held[end]) for end in ends)
                self._codes[name] = scale, zero

    def run(self, feeds: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        given = {name: np.asarray(x, dtype) for (name, dtype), x in zip(self._inputs, feeds, strict=True)}
        try:
            found = self._session.run(self._names, given)
        except Exception as error:  # as above
            raise DataError(f"ONNX Runtime cannot run these samples: {error}") from error
        return [self._values(name, each) for name, each in zip(self._names, found, strict=True)]

    def _values(self, name: str, found: NDArray[Any]) -> NDArray[np.float32]:
        if name in self._codes and found.dtype.kind in "iu":
            scale, zero = self._codes[name]
            values: NDArray[np.float32] = (found.astype(np.float32) - zero.astype(np.float32)) * np.float32(scale)
            return values
        return np.asarray(found, np.float32)
