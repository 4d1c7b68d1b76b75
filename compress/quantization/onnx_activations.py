"""The second moments of what a model's matrices are multiplied by, over calibration samples run in ONNX Runtime.

They are the Hessian of a layer's squared output error (Frantar et al. 2022, section 3), up to a factor. All layers'
inputs are those of the float model, so that one pass over the samples does for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.ends import INPUT_NAME
from compress.records import fields


def second_moments(
    proto: Any, inputs: Mapping[str, list[str]], samples: NDArray[Any]
) -> dict[str, NDArray[np.float64]]:
    """Return the sum of x xT for each of `inputs`, weight name -> the values that it is multiplied by: ``(in, in)``.

    The rows x of a value are its last axis: one a sample of a dense layer, one a token of a sequence. `samples` are
    the model's inputs, ``(100, 28, 28, 1)``, or records with a field an input; one is run at a time.
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
    computed = [name for name in names if name not in {value.name for value in proto.graph.input}]
    for sample in samples:
        feed = _feed(sample, proto)
        values = {**feed, **dict(zip(computed, session.run(computed, feed), strict=True))}
        for weight, read in inputs.items():
            for name in read:
                rows = np.asarray(values[name], np.float64)
                rows = rows.reshape(-1, rows.shape[-1])
                moments[weight] = moments.get(weight, 0.0) + rows.T @ rows
    return moments


def _feed(sample: NDArray[Any], proto: Any) -> dict[str, NDArray[Any]]:
    """Return one sample as a session takes it: a record's field an input, or the one input by its name."""
    from onnx import helper

    dtypes = {
        value.name: helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type) for value in proto.graph.input
    }
    return {name: np.asarray(value, dtypes[name]) for name, value in fields(sample[None], INPUT_NAME).items()}
