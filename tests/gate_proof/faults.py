"""Faults that a compression library may come to have, each as an edit of the source, and the metric that shows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """An edit of one file of a checkout that breaks it; ``old`` must stand there exactly once, or the fault is stale.

    ``recipe`` is a cell of `SUBJECT` that the fault spoils and ``metric`` what the gate must name for it.
    """

    name: str
    recipe: str
    metric: str
    file: str
    old: str
    new: str
    appended: str = ""

    def inject(self, checkout: Path) -> None:
        """Apply the edit. Raises `AssertionError` when the source is no longer what the fault was written for."""
        path = checkout / self.file
        source = path.read_text()
        assert source.count(self.old) == 1, f"stale fault {self.name!r}: {self.old!r} is not once in {self.file}"
        path.write_text(source.replace(self.old, self.new) + self.appended)


SUBJECT = "mnist_cnn"
LITERT = "compress/quantization/litert.py"
REWRITTEN = "return without_names(content)"

REWRITE = """

def _rewritten(content: bytes) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromPackedBuf(content, 0)
    {change}
    builder = flatbuffers.Builder(2 * len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
"""

# a zero point that quantizing and dequantizing share shifts nothing; the weights' one is only dequantized with
SHIFTED_WEIGHTS = """

def _shifted(proto: Any) -> Any:
    import numpy as np
    from onnx import numpy_helper

    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    for node in proto.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in stored and node.input[2] in stored:
            points = stored[node.input[2]]
            if points.data_type == 3:
                points.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(points) + np.int8(1), points.name))
    return proto
"""

# work that changes no answer: the largest input value, a hundred thousand times, summed up and taken times zero
NEEDLESS_WORK = """

def _busy(proto: Any) -> Any:
    import numpy as np
    from onnx import helper, numpy_helper

    graph = proto.graph
    answer, name = graph.output[0].name, "before_" + graph.output[0].name
    for node in graph.node:
        node.output[:] = [name if one == answer else one for one in node.output]
    for constant, value in (("many", np.array([100_000], np.int64)), ("nothing", np.zeros((), np.float32))):
        graph.initializer.append(numpy_helper.from_array(value, constant))
    graph.node.extend(
        [
            helper.make_node("ReduceMax", [graph.input[0].name], ["largest"], keepdims=0),
            helper.make_node("Expand", ["largest", "many"], ["expanded"]),
            helper.make_node("ReduceSum", ["expanded"], ["sum"], keepdims=0),
            helper.make_node("Mul", ["sum", "nothing"], ["zero"]),
            helper.make_node("Add", [name, "zero"], [answer]),
        ]
    )
    return proto
"""

KEEP_FLOAT_WEIGHTS = """import numpy

    for buffer in [one for one in model.buffers if one.data is not None and len(one.data) > 1000]:
        twice = schema.BufferT()
        twice.data = numpy.frombuffer(bytes(buffer.data), numpy.uint8)
        model.buffers.append(twice)"""

FAULTS = (
    Fault(
        name="quantization is skipped",
        recipe="dynamic_range",
        metric="raw_bytes",
        file=LITERT,
        old="converter.optimizations = [tf.lite.Optimize.DEFAULT]",
        new="converter.optimizations = []",
    ),
    Fault(
        name="per-channel scales become per-tensor",
        recipe="int8",
        metric="scales",
        file=LITERT,
        old='converter._experimental_disable_per_channel = granularity == "tensor"',
        new="converter._experimental_disable_per_channel = True",
    ),
    Fault(
        name="zero points are off by one",
        recipe="int8@onnx",
        metric="output_sqnr_db",
        file="compress/quantization/onnxruntime.py",
        old="return pin_bytes(proto)",
        new="return pin_bytes(_shifted(proto))",
        appended=SHIFTED_WEIGHTS,
    ),
    Fault(
        name="the graph does needless work",
        recipe="float32@onnx",
        metric="latency_s",
        file="compress/quantization/onnxruntime.py",
        old="return pin_bytes(proto)",
        new="return pin_bytes(_busy(proto))",
        appended=NEEDLESS_WORK,
    ),
    Fault(
        name="calibration sees noise",
        recipe="int8",
        metric="output_sqnr_db",
        file="compress/subject.py",
        old="return self.train_x[np.sort(chosen)]",
        new="return (30 * np.random.default_rng(0).standard_normal(self.train_x[chosen].shape)).astype(np.float32)",
    ),
    Fault(
        name="masks are dropped in retraining",
        recipe="prune(0.9)",
        metric="sparsity",
        file="compress/training.py",
        old="kernel.assign(rule.project(path, kernel.value))",
        new="pass",
    ),
    Fault(
        name="weights are stored twice",
        recipe="int8",
        metric="raw_bytes",
        file=LITERT,
        old=REWRITTEN,
        new="return _rewritten(without_names(content))",
        appended=REWRITE.format(change=KEEP_FLOAT_WEIGHTS),
    ),
    Fault(
        name="evaluation labels are shuffled",
        recipe="float32",
        metric="accuracy",
        file="fixtures/mnist.py",
        old="        evaluated.y.astype(np.int64),",
        new="        np.random.default_rng(0).permutation(evaluated.y).astype(np.int64),",
    ),
)
