"""Write the matrices of an ONNX model as packed 4-bit blocks, in the operators from which ONNX Runtime computes.

MatMulNBits, MatMulBnb4 and GatherBlockQuantized as in ONNX Runtime's docs/ContribOperators.md; all three run on its
CPU provider. The float matrix leaves the file: what stands there is codes, two a byte, and one float32 a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from compress.errors import ConversionError
from compress.quantization.codebook import BlockCodebook, quantize_blocks
from compress.quantization.gptq import gptq
from compress.quantization.int4_grid import pack_blocks, round_to_nearest
from compress.quantization.onnx_activations import second_moments
from compress.quantization.onnx_matmul import split_gemms
from compress.quantization.onnx_names import graphs_of, pin_bytes
from compress.quantization.quiet import quiet_conversion

DOMAIN = "com.microsoft"
LEAST_BLOCK = 16
NF4 = 1
"""MatMulBnb4's ``quant_type``; 0 is FP4."""


@dataclass(frozen=True)
class Packing:
    """What becomes of matrices, in blocks of so many values that are summed over, and of embedding tables."""

    levels: Literal["int4", "nf4"]
    block: int
    embeddings: Literal["int4", "float32"]


def pack_onnx(content: bytes, packing: Packing, calibration: NDArray[Any] | None) -> bytes:
    """Return the float32 .onnx file `content` with its constant matrices and embedding tables packed.

    With `calibration`, ``(100, 28, 28, 1)`` or records, int4 matrices are rounded by GPTQ. A matrix ``(in, out)`` is
    packed along ``in``; one with a side shorter than a block, as an adapter's factors have, stays float32. A table
    ``(words, width)`` is packed along ``width``, in blocks halved until they divide it. A table that a tied language
    model's head reads as well is two constants in an ONNX file, the head's transposed, and both are packed. Raises
    `ConversionError` when there is nothing to pack.
    """
    import onnx

    remedy = "try another step or runtime; COMPRESS_VERBOSE=1 shows all that is printed"
    with quiet_conversion(packing.levels, "onnx", remedy):
        proto = split_gemms(onnx.load_model_from_string(content))
        _pack(proto, packing, calibration)
        return pin_bytes(proto)


def _pack(proto: Any, packing: Packing, calibration: NDArray[Any] | None) -> None:
    """Pack the matrices of `proto` in place."""
    weights = _matrices(proto, packing.block)
    moments = {} if calibration is None else second_moments(proto, weights, calibration)
    packed = {name: _pack_matrix(proto, name, packing, moments.get(name)) for name in weights}
    for name in _tables(proto, packing.block) if packing.embeddings == "int4" else ():
        packed[name] = _pack_table(proto, name, packing.block)
    if not packed:
        raise ConversionError(
            f"the model has no constant matrix with both sides from {packing.block}, so there is nothing to "
            "pack into 4 bits; choose a smaller block or another step"
        )
    _replace(proto, packed)


@dataclass(frozen=True)
class _Packed:
    """A packed constant: its tensors, and the operator that reads them in place of the float one."""

    tensors: tuple[Any, ...]
    operator: str
    attributes: dict[str, int]


def _constants(proto: Any) -> dict[str, Any]:
    return {tensor.name: tensor for graph in graphs_of(proto.graph) for tensor in graph.initializer}


def _readers(proto: Any) -> dict[str, list[tuple[Any, int]]]:
    found: dict[str, list[tuple[Any, int]]] = {}
    for graph in graphs_of(proto.graph):
        for node in graph.node:
            for position, name in enumerate(node.input):
                found.setdefault(name, []).append((node, position))
    return found


def _matrices(proto: Any, block: int) -> dict[str, list[str]]:
    """Return the matrices that nothing but MatMul reads on its right, each with the values on the left."""
    found, constants = {}, _constants(proto)
    for name, readers in _readers(proto).items():
        tensor = constants.get(name)
        if tensor is None or not _is_float_matrix(tensor) or min(tensor.dims) < block:
            continue
        if all(node.op_type == "MatMul" and position == 1 for node, position in readers):
            found[name] = [node.input[0] for node, _ in readers]
    return found


def _tables(proto: Any, block: int) -> list[str]:
    """Return the float matrices that nothing but Gather reads, row by row."""
    constants = _constants(proto)
    return [
        name
        for name, readers in _readers(proto).items()
        if name in constants
        and _is_float_matrix(constants[name])
        and _table_block(constants[name].dims[1], block)
        and all(node.op_type == "Gather" and position == 0 and _axis(node) == 0 for node, position in readers)
    ]


def _axis(node: Any) -> int:
    return next((int(one.i) for one in node.attribute if one.name == "axis"), 0)


def _table_block(width: int, most: int) -> int:
    """Return the largest half of a half of `most` that divides `width`, ``(96, 64) -> 32``; 0 below 16."""
    while most >= LEAST_BLOCK and width % most:
        most //= 2
    return most if most >= LEAST_BLOCK else 0


def _is_float_matrix(tensor: Any) -> bool:
    return len(tensor.dims) == 2 and tensor.data_type == tensor.FLOAT


def _values(proto: Any, name: str) -> NDArray[np.float32]:
    from onnx import numpy_helper

    return np.asarray(numpy_helper.to_array(_constants(proto)[name]), np.float32)


def _pack_matrix(proto: Any, name: str, packing: Packing, hessian: NDArray[np.float64] | None) -> _Packed:
    from onnx import numpy_helper

    rows = _values(proto, name).T
    attributes = {"K": rows.shape[1], "N": rows.shape[0], "block_size": packing.block}
    if packing.levels == "nf4":
        blocks = quantize_blocks(rows, BlockCodebook("nf4", packing.block, None))
        # this operator has the first code in the high half
        codes: NDArray[np.uint8] = np.asarray(blocks.packed >> 4 | blocks.packed << 4, np.uint8)
        scales = blocks.constants.scale
        operator, attributes["quant_type"] = "MatMulBnb4", NF4
    else:
        int4, scales = round_to_nearest(rows, packing.block) if hessian is None else gptq(rows, hessian, packing.block)
        codes = pack_blocks(int4, packing.block)
        operator, attributes["bits"] = "MatMulNBits", 4
    tensors = (numpy_helper.from_array(codes, name), numpy_helper.from_array(scales, f"{name}.scale"))
    return _Packed(tensors, operator, attributes)


def _pack_table(proto: Any, name: str, block: int) -> _Packed:
    from onnx import numpy_helper

    rows = _values(proto, name)
    block = _table_block(rows.shape[1], block)
    codes, scales = round_to_nearest(rows, block)
    packed = pack_blocks(codes, block).reshape(len(rows), -1)
    tensors = (numpy_helper.from_array(packed, name), numpy_helper.from_array(scales, f"{name}.scale"))
    attributes = {"bits": 4, "block_size": block, "gather_axis": 0, "quantize_axis": 1}
    return _Packed(tensors, "GatherBlockQuantized", attributes)


def _replace(proto: Any, packed: dict[str, _Packed]) -> None:
    """Put the packed constants and their operators into `proto`, in place."""
    from onnx import helper

    for graph in graphs_of(proto.graph):
        kept = [tensor for tensor in graph.initializer if tensor.name not in packed]
        added = [one for tensor in graph.initializer if tensor.name in packed for one in packed[tensor.name].tensors]
        del graph.initializer[:]
        graph.initializer.extend([*kept, *added])
        for node in graph.node:
            name = next((name for name in node.input if name in packed), None)
            if name is None:
                continue
            value = node.input[1 if node.op_type == "Gather" else 0]
            one = packed[name]
            ordered = [name, value] if node.op_type == "Gather" else [value, name]
            operation = helper.make_node(one.operator, [*ordered, f"{name}.scale"], list(node.output), domain=DOMAIN)
            operation.attribute.extend(helper.make_attribute(key, given) for key, given in one.attributes.items())
            node.CopyFrom(operation)
    if not any(entry.domain == DOMAIN for entry in proto.opset_import):
        proto.opset_import.add(domain=DOMAIN, version=1)
