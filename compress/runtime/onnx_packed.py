"""The constants of an ONNX file that hold several codes a byte: which they are, what they stand for, their operators.

MatMulNBits, MatMulBnb4 and GatherBlockQuantized of ONNX Runtime (docs/ContribOperators.md). The levels of NF4 are the
published ones (Dettmers et al. 2023, appendix E), which ONNX Runtime computes with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelFileError
from compress.runtime.onnx_nesting import graphs

OPERANDS: dict[str, tuple[int, int, int]] = {
    "MatMulNBits": (1, 2, 3),
    "MatMulBnb4": (1, 2, -1),
    "GatherBlockQuantized": (0, 2, 3),
}
"""Operator -> positions of (codes, scales, zero points) in its inputs; -1 where it takes none."""

NF4 = np.array(
    [
        *(-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453),
        *(-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0),
        *(0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224),
        *(0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0),
    ],
    np.float32,
)


@dataclass(frozen=True)
class Packed:
    """A constant that holds `bits` a code, as its operator reads it.

    ``shape`` is that of the matrix it stands for: ``(in, out)`` of a product, ``(words, width)`` of a table. ``scales``
    and ``zero_points`` name constants, '' for none; ``has_order`` says that the operator takes inputs in another order.
    """

    dtype: str
    bits: int
    shape: tuple[int, int]
    block: int
    scales: str
    zero_points: str
    is_table: bool
    has_order: bool = False

    @property
    def rows(self) -> tuple[int, int]:
        """The shape in which codes are stored: ``(out, in)`` of a product, ``(words, width)`` of a table."""
        return self.shape if self.is_table else (self.shape[1], self.shape[0])

    @property
    def zero(self) -> int:
        """The code of zero where no zero points are given."""
        return 7 if self.dtype == "nf4" else 2 ** (self.bits - 1)

    def codes(self, stored: NDArray[Any], name: str) -> NDArray[np.uint8]:
        """Return the codes in `stored`, uint8 ``rows``. Raises `ModelFileError` when its bytes are not as many."""
        rows, width = self.rows
        per_byte = 8 // self.bits
        if self.dtype == "nf4":
            expected = -(-rows * width // per_byte)
        elif self.is_table:
            expected = rows * -(-width // per_byte)
        else:
            expected = rows * -(-width // self.block) * self.block // per_byte
        if stored.dtype != np.uint8 or stored.size != expected:
            raise ModelFileError(
                f"ONNX file: {name!r} holds {stored.size} values of {stored.dtype}, and its {self.bits}-bit codes for "
                f"a matrix of shape {self.shape} are {expected} bytes"
            )
        steps = np.arange(0, 8, self.bits, dtype=np.uint8)
        if self.dtype == "nf4":  # the one operator with the first code in the high half
            steps = steps[::-1]
        codes = (stored.reshape(-1, 1) >> steps) & (2**self.bits - 1)
        if self.dtype == "nf4":
            return np.asarray(codes.reshape(-1)[: rows * width].reshape(rows, width))
        return np.asarray(codes.reshape(rows, -1)[:, :width])

    def zeros(self, stored: NDArray[Any], zero_points: NDArray[Any] | None, name: str) -> int:
        """Return how many of the codes stand for zero."""
        return int(np.count_nonzero(self.codes(stored, name) == self._points(zero_points, name)))

    def values(
        self, codes: NDArray[np.uint8], scales: NDArray[Any], zero_points: NDArray[Any] | None, name: str
    ) -> NDArray[np.float32]:
        """Return what `codes` stand for, float32 in ``shape``. Raises `ModelFileError` for scales of another number."""
        rows, width = self.rows
        groups = -(-rows * width // self.block) if self.dtype == "nf4" else rows * -(-width // self.block)
        if scales.size != groups or self.has_order:
            reason = "reorders its inputs" if self.has_order else f"has {scales.size} scales for {groups} blocks"
            raise ModelFileError(f"ONNX file: {name!r} {reason}, which cannot be read")
        scales = scales.astype(np.float64).reshape(-1)
        if self.dtype == "nf4":
            each = np.repeat(scales, self.block)[: rows * width].reshape(rows, width)
            found = NF4[codes] * each
        else:
            each = np.repeat(scales.reshape(rows, -1), self.block, axis=1)[:, :width]
            found = (codes - self._points(zero_points, name)) * each
        return np.asarray(found if self.is_table else found.T, np.float32)

    def _points(self, stored: NDArray[Any] | None, name: str) -> NDArray[np.float64]:
        """Return the zero point of each code, ``rows`` or one for all: packed like the codes, or as floats."""
        if stored is None:
            return np.full((1, 1), self.zero, np.float64)
        rows, width = self.rows
        blocks = -(-width // self.block)
        if stored.dtype == np.uint8:
            steps = np.arange(0, 8, self.bits, dtype=np.uint8)
            unpacked = ((stored.reshape(-1, 1) >> steps) & (2**self.bits - 1)).reshape(-1)
            stored = unpacked.reshape(rows, -1)[:, :blocks] if unpacked.size % rows == 0 else unpacked
        if stored.size != rows * blocks:
            raise ModelFileError(f"ONNX file: {name!r} has {stored.size} zero points for {rows * blocks} blocks")
        each = np.repeat(stored.reshape(rows, blocks).astype(np.float64), self.block, axis=1)
        return np.asarray(each[:, :width])


def packed_constants(nodes: list[Any], tensors: dict[str, Any]) -> dict[str, Packed]:
    """Return the packed constants among `tensors` by name, as the first of `nodes` that reads them says.

    Raises `ModelFileError` for an operator whose attributes make no sense.
    """
    found: dict[str, Packed] = {}
    for node in nodes:
        if node.op_type in OPERANDS and (name := node.input[OPERANDS[node.op_type][0]]) in tensors:
            one = _packed(node, tensors[name])
            if one is not None:
                found.setdefault(name, one)
    return found


def _packed(node: Any, tensor: Any) -> Packed | None:
    attributes = {one.name: int(one.i) for one in node.attribute}
    inputs = dict(enumerate(node.input))
    _, scale, zero_point = OPERANDS[node.op_type]
    nf4, table = node.op_type == "MatMulBnb4", node.op_type == "GatherBlockQuantized"
    bits = 4 if nf4 else attributes.get("bits", 4)
    if table:
        if len(tensor.dims) != 2 or tensor.data_type != tensor.UINT8:
            return None  # typed int4, which ONNX reads by itself
        shape = tensor.dims[0], tensor.dims[1] * 8 // max(bits, 1)
    else:
        shape = attributes.get("K", 0), attributes.get("N", 0)
    block = attributes.get("block_size", 128 if table else 0)
    if bits not in (2, 4, 8) or block < 1 or min(shape) < 1:
        raise ModelFileError(f"ONNX file: {node.op_type} {node.output[0]!r} has {bits} bits, {block=}, shape {shape}")
    dtype = ("nf4" if attributes.get("quant_type", 1) == 1 else "fp4") if nf4 else f"int{bits}"
    if dtype == "fp4":
        return None
    order = node.op_type == "MatMulNBits" and bool(inputs.get(4, ""))
    return Packed(dtype, bits, shape, block, inputs.get(scale, ""), inputs.get(zero_point, ""), table, order)


def standing_in(model: Any) -> Any:
    """Return a copy of the model in which packed operators are MatMul and Gather, for inference of types and shapes.

    Their constants are inputs of the main graph, ``(in, out)`` or ``(words, width)``; nodes keep their order.
    """
    from onnx import helper

    copy = type(model)()
    copy.CopyFrom(model)
    tensors = {tensor.name: tensor for graph in graphs(copy.graph) for tensor in graph.initializer}
    declared: set[str] = set()
    for graph in graphs(copy.graph):
        for node in graph.node:
            if node.op_type not in OPERANDS:
                continue
            place, scale, _ = OPERANDS[node.op_type]
            name = node.input[place]
            packed = packed_constants([node], tensors).get(name)
            if packed is None or node.input[scale] not in tensors:
                continue
            stand_in = f"{name} unpacked"
            if stand_in not in declared:
                declared.add(stand_in)
                kind = tensors[node.input[scale]].data_type
                copy.graph.input.append(helper.make_tensor_value_info(stand_in, kind, packed.shape))
            ordered = [stand_in, node.input[1]] if packed.is_table else [node.input[0], stand_in]
            node.CopyFrom(helper.make_node("Gather" if packed.is_table else "MatMul", ordered, list(node.output)))
    return copy
