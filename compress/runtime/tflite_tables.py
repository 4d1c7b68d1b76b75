"""The tables of a LiteRT file (.tflite): buffers, tensors and operators, read with every offset checked.

The format is ``tensorflow/lite/schema/schema.fbs``, version 3; field numbers below are its declaration order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

from compress.errors import ModelFileError
from compress.runtime.flatbuffer import Flatbuffer, Vector

DTYPES = {
    0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 5: "str", 6: "bool", 7: "int16", 8: "complex64",
    9: "int8", 10: "float64", 11: "complex128", 12: "uint64", 15: "uint32", 16: "uint16", 17: "int4", 18: "bfloat16",
    19: "int2", 20: "uint4",
}  # fmt: skip
"""``TensorType`` of the schema -> numpy's name (packed types by theirs)."""

PACKED_BITS = {"int4": 4, "uint4": 4, "int2": 2}
GRAPH_DTYPES = frozenset({"int32", "int64", "bool", "str", "uint32", "uint64"})
"""Constants of these types that carry no scale are shapes, axes or permutations."""

_ROLES = {
    **{
        (operation, position): role
        for operation in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_3D", "BATCH_MATMUL")
        for position, role in ((1, "weights"), (2, "bias"))
    },
    ("EMBEDDING_LOOKUP", 1): "weights",
    ("TRANSPOSE_CONV", 1): "weights",
    ("TRANSPOSE_CONV", 3): "bias",
}
"""What an operation's input is, by position; others are named by number."""

_BLOCKWISE = 2
"""``QuantizationDetails`` of the schema: ``BlockwiseQuantization``."""

INDEX_DTYPES = {1: "int32", 2: "uint16", 3: "uint8"}
"""``SparseIndexVector`` of the schema -> numpy's name."""


@dataclass(frozen=True)
class Quantization:
    """A tensor's scales and zero points, where they lie in the file.

    One that is quantized in blocks of its rows has neither: ``block_scales`` is the tensor of the same graph that holds
    a scale a block, and ``block`` how many values one has; -1 and 0 for any other.
    """

    scale: Vector
    zero_point: Vector
    zero_points: tuple[int, ...]
    dimension: int
    block_scales: int = -1
    block: int = 0


@dataclass(frozen=True)
class Tensor:
    """A tensor as the file describes it; ``sparsity`` is the position of its table of indices."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    buffer: int
    quantization: Quantization | None
    sparsity: int | None


@dataclass(frozen=True)
class Operator:
    """An operator by name, and its tensors by index; -1 for an input that is left out."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Subgraph:
    """The tensors and operators of a graph, in the file's order, and which tensors are its ends."""

    tensors: list[Tensor]
    operators: list[Operator]
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()


@cache
def _builtin_names() -> dict[int, str]:
    try:
        from ai_edge_litert.schema_py_generated import BuiltinOperator
    except ImportError as error:
        raise ModelFileError(
            "reading .tflite files needs ai-edge-litert: pip install compress-bench[litert]"
        ) from error
    return {code: name for name, code in vars(BuiltinOperator).items() if name.isupper()}


class LiteRTFile:
    """A .tflite file's tables, read once with bounds checked."""

    def __init__(self, content: bytes) -> None:
        file = self.file = Flatbuffer(content, b"TFL3", "LiteRT")
        self.buffers = [self._buffer(table) for table in file.tables(file.root, 4)]
        names = [self._operator_name(table) for table in file.tables(file.root, 1)]
        self.subgraphs = [self._subgraph(table, names) for table in file.tables(file.root, 2)]
        self.metadata_buffers = {file.scalar(table, 1, "I") for table in file.tables(file.root, 6)}
        if not self.subgraphs or not self.buffers:
            raise ModelFileError("LiteRT file holds no graph; export the model again")

    def _buffer(self, table: int) -> Vector:
        offset, size = self.file.scalar(table, 1, "Q"), self.file.scalar(table, 2, "Q")
        if offset > 1:  # files over 2 GB keep the data behind the flatbuffer
            if offset + size > len(self.file.content):
                raise self.file.broken(f"a buffer of {size} bytes at byte {offset} ends")
            return Vector(offset, size)
        return self.file.vector(table, 0, 1)

    def _operator_name(self, table: int) -> str:
        code = max(self.file.scalar(table, 0, "b"), self.file.scalar(table, 3, "i"))
        custom = self.file.text(table, 1)
        return custom or _builtin_names().get(code, f"BUILTIN_{code}")

    def _subgraph(self, table: int, names: list[str]) -> Subgraph:
        file = self.file
        tensors = [self._tensor(position) for position in file.tables(table, 0)]
        operators = []
        for position in file.tables(table, 3):
            code = file.scalar(position, 0, "I")
            inputs, outputs = file.numbers(position, 1, "i"), file.numbers(position, 2, "i")
            if code >= len(names) or any(not -1 <= index < len(tensors) for index in (*inputs, *outputs)):
                raise file.broken("an operator refers to a tensor or code")
            operators.append(Operator(names[code], inputs, outputs))
        ends = file.numbers(table, 1, "i"), file.numbers(table, 2, "i")
        if any(not 0 <= index < len(tensors) for index in (*ends[0], *ends[1])):
            raise file.broken("an input or output of the graph lies")
        if any(one.quantization and one.quantization.block_scales >= len(tensors) for one in tensors):
            raise file.broken("a tensor of block scales lies")
        return Subgraph(tensors, operators, *ends)

    def _tensor(self, table: int) -> Tensor:
        file = self.file
        kind, buffer = file.scalar(table, 1, "b"), file.scalar(table, 2, "I")
        if buffer >= len(self.buffers):
            raise file.broken(f"buffer {buffer} of {len(self.buffers)} lies")
        quantization = file.table(table, 4)
        found = None
        details = file.table(quantization, 5) if quantization is not None else None
        blocks, block = -1, 0
        if details is not None and quantization is not None and file.scalar(quantization, 4, "B") == _BLOCKWISE:
            blocks, block = file.scalar(details, 0, "i"), file.scalar(details, 2, "i")
            if blocks < 0 or block < 1:
                raise file.broken("a tensor of block scales lies")
        if quantization is not None and (file.vector(quantization, 2, 4).length or block):
            found = Quantization(
                file.vector(quantization, 2, 4),
                file.vector(quantization, 3, 8),
                file.numbers(quantization, 3, "q"),
                file.scalar(quantization, 6, "i"),
                blocks,
                block,
            )
        return Tensor(
            file.text(table, 3),
            DTYPES.get(kind, f"type{kind}"),
            file.numbers(table, 0, "i"),
            buffer,
            found,
            file.table(table, 6),
        )


def tensor_names(graph: Subgraph, index: int) -> list[str]:
    """Return a name for each tensor: the file's, or where it has none what the tensor is to an operation.

    ``conv_2d_0.weights`` for a constant that operation 0 reads, ``conv_2d_0`` for what it writes. A constant behind a
    DEQUANTIZE (float16 weights) is named by the operation that reads the result.
    """
    readers: dict[int, tuple[int, int]] = {}
    writers: dict[int, int] = {}
    for number, operator in enumerate(graph.operators):
        for position, tensor in enumerate(operator.inputs):
            readers.setdefault(tensor, (number, position))
        for tensor in operator.outputs:
            writers.setdefault(tensor, number)

    def derived(tensor: int) -> str:
        if tensor in writers:
            return f"{graph.operators[writers[tensor]].name.lower()}_{writers[tensor]}"
        if tensor not in readers:
            return "unused"
        number, position = readers[tensor]
        operator = graph.operators[number]
        if operator.name == "DEQUANTIZE" and operator.outputs and operator.outputs[0] in readers:
            number, position = readers[operator.outputs[0]]
            operator = graph.operators[number]
        return f"{operator.name.lower()}_{number}.{_ROLES.get((operator.name, position), position)}"

    prefix = f"subgraph_{index}/" if index else ""
    names: list[str] = []
    seen: Counter[str] = Counter()
    for number, found in enumerate(graph.tensors):
        name = prefix + (found.name or derived(number))
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return names
