"""The layers of a file, and which layers of two files are the same: by name where files have names, else by place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher

from compress.runtime.graph import Graph, Node

CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE", "DENSIFY", "QuantizeLinear", "DequantizeLinear", "Cast", "Identity"})
"""Operations that only change how values are stored; what they read is what they give."""

_MOVES = frozenset({
    "RESHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "SHAPE", "Reshape", "Transpose", "Flatten", "Squeeze",
    "Unsqueeze", "Shape", "Constant", "DynamicQuantizeLinear",
})  # fmt: skip
"""Operations that compute no new value."""

_INTEGER_FORMS = {
    "ConvInteger": "Conv", "QLinearConv": "Conv", "MatMulInteger": "MatMul", "QLinearMatMul": "MatMul",
    "com.microsoft.QGemm": "Gemm", "com.microsoft.DynamicQuantizeMatMul": "MatMul",
    "com.microsoft.MatMulIntegerToFloat": "MatMul",
}  # fmt: skip

_FOLDED = frozenset({"BatchNormalization", "Relu", "Clip"})
"""Operations that a quantizer makes a part of the layer before them."""

_QUANTIZED = "_quantized"
"""What ONNX Runtime's quantizer adds to the name of a value, or of a constant, that it stores as integers."""

_CLAMPING = frozenset({"Relu", "Clip"})

_SATURATING = frozenset({"SOFTMAX", "LOGISTIC", "Softmax", "Sigmoid"})

ROLES = {
    **dict.fromkeys(
        ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_3D", "BATCH_MATMUL"), ("weights", "bias")
    ),
    **dict.fromkeys(("Conv", "ConvTranspose", "Gemm", "MatMul", "ConvInteger", "MatMulInteger"), ("weights", "bias")),
}
"""Operation -> what its inputs 1 and 2 are."""


@dataclass(frozen=True)
class Matching:
    """Layers of a float file with the tensors that hold their results: ``(node, tensor here, tensor in the other)``.

    ``unmatched`` are the float file's layers that the other file does not have, each with the reason.
    """

    pairs: tuple[tuple[Node, str, str], ...]
    unmatched: tuple[tuple[Node, str], ...]


def role(node: Node, position: int) -> str:
    """Return what input `position` is to an operation: ``weights``, ``bias``, or its number."""
    if node.op == "TRANSPOSE_CONV":
        return {1: "weights", 3: "bias"}.get(position, str(position))
    names = ROLES.get(node.op, ())
    return names[position - 1] if 0 < position <= len(names) else str(position)


def is_layer(node: Node) -> bool:
    """Return whether an operation computes something, other than by changing type or place."""
    return bool(node.outputs) and node.op not in CONVERSIONS and node.op not in _MOVES


def source(graph: Graph, name: str) -> str:
    """Return the tensor that `name` is stored as, behind conversions: of a dequantized constant, the constant."""
    for _ in graph.nodes:
        writer = graph.writers.get(name)
        if writer is None or writer.op not in CONVERSIONS or not writer.inputs:
            break
        name = writer.inputs[0]
    return name


def telling(graph: Graph) -> str:
    """Return the tensor whose error tells most: the first output, or what a softmax or sigmoid that ends there reads.

    These saturate: scores that are far off still give probabilities that hardly differ.
    """
    writer = graph.writers.get(graph.outputs[0])
    while writer is not None and writer.op in CONVERSIONS | _MOVES and writer.inputs:
        writer = graph.writers.get(writer.inputs[0])
    return writer.inputs[0] if writer is not None and writer.op in _SATURATING else graph.outputs[0]


def uses(graph: Graph, name: str) -> list[tuple[Node, int]]:
    """Return the operations that read the constant `name`, or another that shares its bytes, behind conversions."""
    storage = graph.tensors[name].storage
    waiting = [each.name for each in graph.tensors.values() if storage is not None and each.storage == storage]
    found: list[tuple[Node, int]] = []
    seen = set(waiting)
    while waiting:
        for node, position in graph.readers.get(waiting.pop(0), []):
            if node.op not in CONVERSIONS:
                found.append((node, position))
                continue
            waiting += [output for output in node.outputs if output not in seen]
            seen.update(node.outputs)
    return found


def match(reference: Graph, other: Graph) -> Matching:
    """Return which tensors of `other` hold what the layers of `reference` compute."""
    wanted = [node for node in reference.nodes if is_layer(node) and _is_main(reference, node)]
    taken: dict[str, str] = {}
    for node in wanted:
        here = reference.tensors[node.name]
        for name in (node.name, f"{node.name}{_QUANTIZED}"):
            there = other.tensors.get(name)
            if there and here.named and there.named and there.storage is None and _same_shape(here.shape, there.shape):
                taken[_computed_by(reference, other, node, name)] = name
                break
    by_name, used = frozenset(taken), set(taken.values())
    left = [node for node in wanted if node.name not in taken]
    offered = [each for each in other.nodes if is_layer(each) and _is_main(other, each) and each.name not in used]
    wanted_keys, offered_keys = [_key(reference, node) for node in left], [_key(other, node) for node in offered]
    for block in SequenceMatcher(None, wanted_keys, offered_keys, autojunk=False).get_matching_blocks():
        for step in range(block.size):
            taken[left[block.a + step].name] = offered[block.b + step].name
    folded = _FOLDED - {each.op for each in other.nodes}
    others = {each.name: each for each in other.nodes}
    pairs = tuple(
        (
            node,
            node.name
            if node.name in by_name
            else _with_folded(reference, node, folded, others[taken[node.name]])[-1].name,
            _settled(other, taken[node.name]),
        )
        for node in wanted
        if node.name in taken
    )
    return Matching(pairs, tuple((node, _why_unmatched(node, other)) for node in wanted if node.name not in taken))


def _with_folded(graph: Graph, node: Node, folded: frozenset[str], same: Node) -> list[Node]:
    """Return a layer, and behind it those that alone read what is before them and are a part of `same` elsewhere.

    These are of the kinds `folded`, or the bias that `same` has as an input and `node` has not.
    """
    found = [node]
    while len(readers := graph.readers.get(found[-1].name, [])) == 1:
        after, position = readers[0]
        is_bias = after.op == "Add" and len(found) == 1 and len(node.inputs) < len(same.inputs)
        if after.op not in folded and not (is_bias and _is_constant(graph, after.inputs[1 - position])):
            break
        found.append(after)
    return found


def _is_constant(graph: Graph, name: str) -> bool:
    writer = graph.writers.get(name)
    moved = writer is not None and writer.op in CONVERSIONS | _MOVES and bool(writer.inputs)
    return graph.is_constant(name) or (moved and writer is not None and _is_constant(graph, writer.inputs[0]))


def _computed_by(reference: Graph, other: Graph, node: Node, name: str) -> str:
    """Return the layer whose result the tensor `name` of `other` holds: `node`, or the Relu or Clip behind it.

    Integers from a zero point on hold no value below it, so that a quantizer leaves such a node out.
    """
    while name != node.name and len(behind := reference.readers.get(node.name, [])) == 1:
        after = behind[0][0]
        if after.op not in _CLAMPING or any(each.op == after.op for each, _ in other.readers.get(name, [])):
            break
        node = after
    return node.name


def match_constants(reference: Graph, other: Graph, matching: Matching) -> Iterator[tuple[str, str, str]]:
    """Yield float constants of `reference`, the same ones in `other` and the layer that reads them."""
    there = {node.name: node for node in other.nodes}
    # a normalization that was folded into a layer is in its weights there, which are others then
    rescaled = {node.name for node, here, _ in matching.pairs if _is_normalized(reference, node.name, here)}
    homes = {node.name: there.get(_unsettled(other, tensor)) for node, _, tensor in matching.pairs}
    seen: set[str] = set()
    for node in reference.nodes:
        if not is_layer(node) or node.name in rescaled:
            continue
        for position, name in enumerate(node.inputs):
            constant = source(reference, name)
            tensor = reference.tensors.get(constant)
            if tensor is None or tensor.storage is None or not tensor.dtype.startswith("float") or constant in seen:
                continue
            seen.add(constant)
            found = next((one for one in (constant, f"{constant}{_QUANTIZED}") if other.is_constant(one)), "")
            home = homes.get(node.name)
            if not (found and tensor.named):
                same = home is not None and _form(home.op) == _form(node.op) and position < len(home.inputs)
                found = source(other, home.inputs[position]) if home is not None and same else ""
            if found and other.is_constant(found):
                yield constant, found, node.name


def _is_normalized(graph: Graph, name: str, result: str) -> bool:
    """Return whether a normalization stands between a layer's own result and what it is compared by."""
    while name != result:
        after, _ = graph.readers[name][0]
        if after.op == "BatchNormalization":
            return True
        name = after.name
    return False


def _is_main(graph: Graph, node: Node) -> bool:
    # LiteRT numbers the main graph's tensors only; ONNX has no inner graph whose values could be outputs
    tensor = graph.tensors[node.name]
    return tensor.place is not None or not any(each.place is not None for each in graph.tensors.values())


def _same_shape(one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> bool:
    return one is None or other is None or one == other


def _form(op: str) -> str:
    return _INTEGER_FORMS.get(op, op)


def _key(graph: Graph, node: Node) -> tuple[str, tuple[int, ...] | None]:
    return _form(node.op), graph.tensors[node.name].shape


def _settled(graph: Graph, name: str) -> str:
    """Return the value that the operations behind `name` see: rounded, where a QuantizeLinear stands there."""
    for node, _ in graph.readers.get(name, []):
        if node.op == "QuantizeLinear":
            for reader, _ in graph.readers.get(node.name, []):
                if reader.op == "DequantizeLinear":
                    return reader.name
    return name


def _unsettled(graph: Graph, name: str) -> str:
    return source(graph, name) if graph.writers.get(name, None) and graph.writers[name].op in CONVERSIONS else name


def _why_unmatched(node: Node, other: Graph) -> str:
    if all(_form(each.op) != _form(node.op) for each in other.nodes):
        return f"the other file has no {node.op}"
    if node.name in other.tensors:
        return f"{node.name} has another shape there"
    return "the other file has none of this name, nor of this kind and shape at its place"
