"""Which weights stayed float in a quantized file, and why: only reasons that the graph itself shows.

Operators that take int8 weights beside float activations as in LiteRT's kernels and ai-edge-quantizer's policy
``dynamic_wi8_afp32``; the 1,024 elements are TensorFlow's converter's (``weights_min_num_elements``); ONNX Runtime's
lists of operators come from the installed library (``onnxruntime.quantization.registry``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from compress.artifact import Part
from compress.explain.layers import CONVERSIONS, role, uses
from compress.runtime.graph import Graph, Node

UNKNOWN = "no reason visible in the file"
LEAST_ELEMENTS = 1024

_FLOATS = ("float32", "float64")
_TABLES = ("GATHER", "EMBEDDING_LOOKUP", "Gather")
_HYBRID = frozenset({
    "BATCH_MATMUL", "CONV_2D", "CONV_3D", "DEPTHWISE_CONV_2D", "EMBEDDING_LOOKUP", "FULLY_CONNECTED", "TRANSPOSE_CONV",
    "SVDF", "RNN", "UNIDIRECTIONAL_SEQUENCE_RNN", "BIDIRECTIONAL_SEQUENCE_RNN", "LSTM", "UNIDIRECTIONAL_SEQUENCE_LSTM",
    "BIDIRECTIONAL_SEQUENCE_LSTM",
})  # fmt: skip


@dataclass(frozen=True)
class KeptFloat:
    """A constant that is still float in a file where others are not, and the reason that its graph shows."""

    name: str
    dtype: str
    elements: int
    bytes: int
    reason: str


def kept_float(parts: Sequence[Part], graph: Graph, runtime: str) -> list[KeptFloat]:
    """Return the float32 constants of a file that holds narrower ones too, largest first; none where all are float."""
    weights = [part for part in parts if part.kind == "weights"]
    if all(part.dtype in _FLOATS for part in weights):
        return []
    facts = _Facts(graph, weights, runtime)
    found = [
        KeptFloat(part.name, part.dtype, part.elements, part.bytes, facts.reason(part))
        for part in weights
        if part.dtype in _FLOATS
    ]
    return sorted(found, key=lambda one: -one.bytes)


class _Facts:
    """What the graph of one file shows, asked for one constant after the other."""

    def __init__(self, graph: Graph, weights: Sequence[Part], runtime: str) -> None:
        self.graph = graph
        self.onnx = runtime == "onnx"
        narrow = [part for part in weights if part.dtype not in _FLOATS]
        self.half = all(part.dtype in ("float16", "bfloat16") for part in narrow)
        self.smallest = min(part.elements for part in narrow)
        ops = {node.op for node in graph.nodes}
        self.dynamic = "DynamicQuantizeLinear" in ops if self.onnx else self._is_hybrid()

    def _is_hybrid(self) -> bool:
        """Return whether an operation reads integer weights beside float activations."""
        for node in self.graph.nodes:
            if node.op in _HYBRID and len(node.inputs) > 1:
                data, weights = (self.graph.dtype(name) for name in node.inputs[:2])
                if data == "float32" and "int" in weights and self.graph.is_constant(node.inputs[1]):
                    return True
        return False

    def reason(self, part: Part) -> str:
        """Return why `part` is float."""
        readers = uses(self.graph, part.name) if part.name in self.graph.tensors else []
        if not readers:
            return "no operation reads it"
        ops = list(dict.fromkeys(node.op for node, _ in readers))
        if len(ops) > 1 and (table := next((op for op in ops if op in _TABLES), "")):
            others = " and ".join(op for op in ops if op != table)
            return f"tied: the table of a {table} as well as read by {others}"
        node, position = readers[0]
        return self._of_reader(part, node, position) or UNKNOWN

    def _of_reader(self, part: Part, node: Node, position: int) -> str:
        graph, given = self.graph, role(node, position)
        if (bias := self._bias(node, position)) and not self.half:
            return bias
        if self.half:
            return f"bias of {node.op}, beside float16 weights" if given == "bias" else ""
        if node.op in _TABLES and position == (1 if node.op == "EMBEDDING_LOOKUP" else 0):
            return f"the table of a {node.op}, which gives {graph.dtype(node.name) or 'float32'}"
        if pair := self._batch_norm(node, part):
            return pair
        if node.op == "Clip" and position in (1, 2):
            return "a bound of Clip, which is compared with and not multiplied"
        return self._onnx(node, position) if self.onnx else self._litert(part, node, given)

    def _bias(self, node: Node, position: int) -> str:
        """Return that a constant is a bias beside float activations, '' when the graph does not show it."""
        graph = self.graph
        data = node.inputs[0] if node.inputs else ""
        if role(node, position) == "bias" and graph.dtype(data) in ("float32", "") and graph.dtype(node.name) != "int8":
            return f"bias of {node.op}, whose sums are float32"
        if self.onnx and self.dynamic:
            if node.op == "Reshape":  # a convolution's bias is shaped first
                return next((self._bias(*reader) for reader in graph.readers.get(node.name, [])), "")
            other = node.inputs[1 - position] if node.op == "Add" and len(node.inputs) == 2 else ""
            scaled = graph.writers.get(other)
            if scaled is not None and scaled.op == "Mul":
                for name in scaled.inputs:
                    cast = graph.writers.get(name)
                    product = graph.writers.get(cast.inputs[0]) if cast is not None and cast.op == "Cast" else None
                    if product is not None and product.op in ("MatMulInteger", "ConvInteger"):
                        return f"bias of a {product.op}, added once its integer sums are float32 again"
        return ""

    def _batch_norm(self, node: Node, part: Part) -> str:
        """Return that a constant is of a MUL and ADD with one value a channel each, as a batch normalisation leaves."""
        lower = {"MUL": "ADD", "Mul": "Add"}
        axes = [size for size in part.shape if size > 1]
        if node.op == "BatchNormalization":
            return "statistics of a BatchNormalization that was not folded into a layer before it"
        if len(axes) > 1:
            return ""
        first: Node | None = node
        if node.op in lower.values():
            first = next(
                (one for one in (self.graph.writers.get(name) for name in node.inputs) if one is not None), None
            )
        if first is None or first.op not in lower:
            return ""
        then = [reader for reader, _ in self.graph.readers.get(first.name, []) if reader.op == lower[first.op]]
        if not then or (node is not first and node not in then):
            return ""
        lengths = [self._channels(each) for each in (first, then[0])]
        if lengths[0] and lengths[0] == lengths[1]:
            return f"{first.op} then {then[0].op} with one value a channel: a batch normalisation that was not folded"
        return ""

    def _channels(self, node: Node) -> int:
        shapes = [self.graph.tensors[name].shape or () for name in node.inputs if self.graph.is_constant(name)]
        found = [[size for size in shape if size > 1] for shape in shapes]
        return found[0][0] if len(found) == 1 and len(found[0]) == 1 else 0

    def _litert(self, part: Part, node: Node, given: str) -> str:
        if self.dynamic:
            if node.op not in _HYBRID:
                return f"{node.op} has no kernel for integer weights beside float activations"
            if given == "weights" and part.elements < LEAST_ELEMENTS <= self.smallest:
                return f"{part.elements:,} elements: dynamic range leaves weights under {LEAST_ELEMENTS:,} in float"
            return ""
        data = next((name for name in node.inputs if not self.graph.is_constant(name)), "")
        return self._float_input(node, data)

    def _onnx(self, node: Node, position: int) -> str:
        from onnxruntime.quantization.registry import IntegerOpsRegistry, QDQRegistry, QLinearOpsRegistry

        if self.dynamic:
            if node.op not in IntegerOpsRegistry:
                return f"{node.op} is none of the operators that ONNX Runtime quantizes dynamically"
            return ""
        if node.op not in QDQRegistry and node.op not in QLinearOpsRegistry:
            return f"{node.op} is none of the operators that ONNX Runtime quantizes"
        data = next((name for place, name in enumerate(node.inputs) if name and place != position), "")
        writer = self.graph.writers.get(data)
        if writer is not None and writer.op == "DequantizeLinear":
            return ""
        return f"no QuantizeLinear and DequantizeLinear around this {node.op}: it computes in float"

    def _float_input(self, node: Node, data: str) -> str:
        """Return that an operation of a file with integer activations computes in float, and what makes it so."""
        graph = self.graph
        if graph.dtype(data) != "float32":
            return ""
        writer = graph.writers.get(data)
        if writer is None:
            return f"{node.op} computes in float: it reads the file's float input"
        if writer.op in CONVERSIONS:
            return f"{node.op} was left out: a {writer.op} before it turns integers into float"
        return f"{node.op} computes in float, as the {writer.op} does that gives its input"
