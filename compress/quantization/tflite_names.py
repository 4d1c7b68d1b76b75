"""Rewrite a LiteRT file without its names and conversion record, so that its bytes depend on the model alone.

Tensor names carry layer counters and temporary paths, which differ between two exports of one model and weigh
hundreds of bytes; inference reads none. The signature, by which callers address inputs and outputs, stays. Zero points
of a kernel and its bias, 8 bytes a channel and all zero, are written once: a flatbuffer's tables may share a vector.
Format: ``tensorflow/lite/schema/schema.fbs``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.ends import INPUT_NAME, OUTPUT_NAME, end_name, names_of
from compress.quantization.float_layers import MARK, float_tensors

if TYPE_CHECKING:
    import flatbuffers

_LARGEST_FLATBUFFER = 2**31
"""Offsets in a flatbuffer are 32 bits, signed in places."""

_ALIGNMENT = 16
"""Alignment of a buffer's data: ``force_align: 16`` in the schema, which the generated Python writer ignores."""


def without_names(content: bytes) -> bytes:
    """Return the same model with names, the conversion record and unused buffers left out.

    Operations, tensors, their order and their data are the input's, and so are its outputs. Data kept behind the
    flatbuffer, where ai-edge-quantizer puts it, moves inside; files of 2 GB, where it must stay, come back as they are.
    """
    import flatbuffers

    if len(content) >= _LARGEST_FLATBUFFER:
        return content
    model = whole_model(content)
    model.description = None
    model.metadataBuffer = None
    model.metadata = [entry for entry in model.metadata or [] if entry.name == b"min_runtime_version"]
    written: dict[bytes, int] = {}
    for graph in model.subgraphs:
        graph.name = None
        for tensor in graph.tensors:
            tensor.name = None
            if tensor.quantization is not None:
                tensor.quantization.min = tensor.quantization.max = None  # what the ranges were chosen from
                if tensor.quantization.scale is None and tensor.quantization.details is None:
                    tensor.quantization = None
                elif tensor.quantization.details is None:
                    tensor.quantization = _SharedZeroPoints(tensor.quantization, written)
    _name_several_ends(model)
    _renumber_buffers(model)
    builder = flatbuffers.Builder(len(content) + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def whole_model(content: bytes) -> Any:
    """Return the tables of a .tflite file, with data that is kept behind the flatbuffer in its place."""
    from ai_edge_litert.schema_py_generated import ModelT

    model = ModelT.InitFromPackedBuf(content, 0)
    for buffer in model.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(content, np.uint8, buffer.size, buffer.offset)
            buffer.offset = buffer.size = 0
    return model


def _name_several_ends(model: Any) -> None:
    """Give several inputs, or outputs, the names of the signature, by which samples and answers are told apart."""
    for signature in model.signatureDefs or []:
        tensors = model.subgraphs[signature.subgraphIndex].tensors
        for ends in (signature.inputs, signature.outputs):
            for end in ends if len(ends) > 1 else ():
                tensors[end.tensorIndex].name = end.name


def with_signature(
    content: bytes,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    marked: re.Pattern[str] | None = None,
) -> bytes:
    """Return the .tflite file with a signature ``serving_default``, ``input`` to ``output``, and a name a tensor.

    ai-edge-quantizer calibrates by signature and tells tensors by name; older files have neither. Ends are called as
    `inputs` and `outputs` say, in the file's order; else several are as the file's own signature calls them, or after
    their tensors. Names of tensors whose own one `marked` finds end in `MARK`.
    """
    import flatbuffers
    from ai_edge_litert.schema_py_generated import SignatureDefT, TensorMapT

    model = whole_model(content)
    graph = model.subgraphs[0]
    ends: list[list[Any]] = []
    for given, own, places in zip((inputs, outputs), called(model), (graph.inputs, graph.outputs), strict=True):
        ends.append([])
        for name, place in zip(given or own, places, strict=True):
            end = TensorMapT()
            end.name, end.tensorIndex = name, int(place)
            ends[-1].append(end)
    signature = SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = "serving_default", 0
    signature.inputs, signature.outputs = ends
    model.signatureDefs = [signature]
    found = float_tensors(model, marked) if marked else set()
    for number, one in enumerate(model.subgraphs):
        for place, tensor in enumerate(one.tensors):
            tensor.name = f"{number}/{place}{MARK if number == 0 and place in found else ''}"
    builder = flatbuffers.Builder(len(content) + 1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def called(file: Any) -> tuple[list[str], list[str]]:
    """Return what inputs and outputs of a .tflite file, or of its tables, are called by its signature or tensors."""
    from ai_edge_litert.schema_py_generated import ModelT

    model = ModelT.InitFromPackedBuf(file, 0) if isinstance(file, bytes) else file
    graph = model.subgraphs[0]
    known = {
        int(end.tensorIndex): end.name.decode()
        for own in model.signatureDefs or []
        if own.subgraphIndex == 0
        for end in (*own.inputs, *own.outputs)
    }
    inputs, outputs = (
        names_of(
            [known.get(int(place)) or end_name((graph.tensors[place].name or b"").decode()) for place in places], alone
        )
        for alone, places in ((INPUT_NAME, graph.inputs), (OUTPUT_NAME, graph.outputs))
    )
    return inputs, outputs


def _renumber_buffers(model: Any) -> None:
    """Keep one empty buffer, number 0 as the schema wants, and those with data that something refers to."""
    kept = [_AlignedBuffer(None)]
    places: dict[int, int] = {}
    owners = [tensor for graph in model.subgraphs for tensor in graph.tensors] + model.metadata
    for owner in owners:
        data = model.buffers[owner.buffer].data
        if data is None or len(data) == 0:
            owner.buffer = 0
            continue
        if owner.buffer not in places:
            places[owner.buffer] = len(kept)
            kept.append(_AlignedBuffer(np.asarray(data, np.uint8)))
        owner.buffer = places[owner.buffer]
    model.buffers = kept


class _SharedZeroPoints:
    """Packs like the generated ``QuantizationParametersT``, a vector of zero points that is `written` already by place.

    Sharing is per file: `written` maps a vector's bytes to its place in the one builder.
    """

    def __init__(self, parameters: Any, written: dict[bytes, int]) -> None:
        self.scale = np.asarray(parameters.scale, np.float32)
        self.zero_point = np.asarray(parameters.zeroPoint if parameters.zeroPoint is not None else [], np.int64)
        self.dimension = int(parameters.quantizedDimension)
        self.written = written

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - called by the generated code
        from ai_edge_litert import schema_py_generated as schema

        scale = builder.CreateNumpyVector(self.scale)
        key = self.zero_point.tobytes()
        if key not in self.written:
            self.written[key] = builder.CreateNumpyVector(self.zero_point)
        schema.QuantizationParametersStart(builder)
        schema.QuantizationParametersAddScale(builder, scale)
        schema.QuantizationParametersAddZeroPoint(builder, self.written[key])
        schema.QuantizationParametersAddQuantizedDimension(builder, self.dimension)
        return int(schema.QuantizationParametersEnd(builder))


class _AlignedBuffer:
    """Packs like the generated ``BufferT``, with the data where the schema asks for it."""

    def __init__(self, data: NDArray[np.uint8] | None) -> None:
        self.data = data

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - called by the generated code
        from ai_edge_litert import schema_py_generated as schema

        place = None
        if self.data is not None:
            builder.StartVector(1, self.data.size, _ALIGNMENT)
            builder.head = builder.Head() - self.data.size
            builder.Bytes[builder.Head() : builder.Head() + self.data.size] = self.data.tobytes()
            place = builder.EndVector()
        schema.BufferStart(builder)
        if place is not None:
            schema.BufferAddData(builder, place)
        return int(schema.BufferEnd(builder))
