"""The second moments of what a model's matrices are multiplied by, over calibration samples run in ONNX Runtime.

They are the Hessian of a layer's squared output error (Frantar et al. 2022, section 3), up to a factor. All layers'
inputs are those of the float model, so that one pass over the samples does for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.quantization.calls import Arrays, call


def second_moments(
    proto: Any, inputs: Mapping[str, list[str]], samples: NDArray[Any]
) -> dict[str, NDArray[np.float64]]:
    """Return the sum of x xT for each of `inputs`, weight name -> the values that it is multiplied by: ``(in, in)``.

    The rows x of a value are its last axis: one a sample of a dense layer, one a token of a sequence. `samples` are
    the model's inputs, ``(100, 28, 28, 1)``, or records with a field an input; one is run at a time, and of a model
    with a cache one token.
    """
    import onnxruntime
    from onnx import TensorProto, helper

    watched = type(proto)()
    watched.CopyFrom(proto)
    given = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    names = sorted({name for each in inputs.values() for name in each})
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in given
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # fatal: everything below also comes as an exception
    session = onnxruntime.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    moments: dict[str, NDArray[np.float64]] = {}
    taken = {value.name: _shape_and_type(value) for value in proto.graph.input}
    outputs = [value.name for value in watched.graph.output]

    def run(feed: Arrays) -> Arrays:
        values = {**feed, **dict(zip(outputs, session.run(outputs, dict(feed)), strict=True))}
        for weight, read in inputs.items():
            for name in read:
                rows = np.asarray(values[name], np.float64)
                rows = rows.reshape(-1, rows.shape[-1])
                moments[weight] = moments.get(weight, np.zeros(())) + rows.T @ rows
        return values

    for sample in samples:
        call(sample, taken, run)
    return moments


def _shape_and_type(value: Any) -> tuple[tuple[int, ...], Any]:
    """Return an input's shape, an open axis as 1, and its type in numpy."""
    from onnx import helper

    kind = value.type.tensor_type
    shape = tuple(dimension.dim_value or 1 for dimension in kind.shape.dim)
    return shape, helper.tensor_dtype_to_np_dtype(kind.elem_type)
