"""A writer of small LiteRT files, table by table, so that every byte of them is known."""

from __future__ import annotations

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = schema.TensorType
OPS = schema.BuiltinOperator


def quantization(scales, zero_points, dimension=0):
    found = schema.QuantizationParametersT()
    found.scale = np.asarray(scales, np.float32)
    found.zeroPoint = np.asarray(zero_points, np.int64)
    found.quantizedDimension = dimension
    return found


class Builder:
    """A graph of fully connected layers, written with the schema's own generated code."""

    def __init__(self):
        self.buffers, self.tensors, self.operators = [schema.BufferT()], [], []

    def buffer(self, data):
        found = schema.BufferT()
        found.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
        self.buffers.append(found)
        return len(self.buffers) - 1

    def tensor(self, shape, kind=TYPES.FLOAT32, buffer=0, scale=None, name=None):
        found = schema.TensorT()
        found.shape = np.asarray(shape, np.int32)
        found.type, found.buffer, found.quantization, found.name = kind, buffer, scale, name
        self.tensors.append(found)
        return len(self.tensors) - 1

    def constant(self, values, kind=TYPES.FLOAT32, scale=None, name=None):
        return self.tensor(np.shape(values), kind, self.buffer(values), scale, name)

    def dense(self, inputs, outputs):
        operator = schema.OperatorT()
        operator.opcodeIndex = 0
        operator.inputs, operator.outputs = np.asarray(inputs, np.int32), np.asarray(outputs, np.int32)
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        operator.builtinOptions = schema.FullyConnectedOptionsT()
        self.operators.append(operator)

    def finish(self, inputs=(0,), outputs=(1,)):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = OPS.FULLY_CONNECTED
        code.version = 4
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs = np.asarray(inputs, np.int32), np.asarray(outputs, np.int32)
        model = schema.ModelT()
        model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], self.buffers
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
