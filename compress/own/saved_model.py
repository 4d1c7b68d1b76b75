"""What a SavedModel folder takes and gives, from its protocol buffer and its variables' files; nothing is run.

Format: https://www.tensorflow.org/guide/saved_model; the signature is ``serving_default``, else the only one there is.
"""

from __future__ import annotations

import math
import tempfile
from typing import Any

from compress.errors import ModelFileError
from compress.model_file import ModelFile
from compress.runtime.signature import End


def read_saved_model(file: ModelFile) -> tuple[tuple[End, ...], tuple[End, ...], int]:
    """Return inputs, outputs and the number of parameters of the SavedModel in a folder.

    Raises `ModelFileError` when TensorFlow is not installed, or the folder is damaged or has no signature.
    """
    from compress.quantization.quiet import captured
    from compress.quantization.saved_model import signature_key

    try:
        with tempfile.TemporaryFile() as log, captured(log):  # TensorFlow introduces itself on stderr
            from tensorflow.core.protobuf import saved_model_pb2
    except ImportError as error:
        raise ModelFileError("reading a SavedModel needs TensorFlow: pip install compress-bench[litert]") from error
    found = saved_model_pb2.SavedModel()
    try:
        found.ParseFromString((file.path / "saved_model.pb").read_bytes())
    except Exception as error:  # protobuf's errors share no base of their own
        said = _first(error)
        raise ModelFileError(f"{file.path} is truncated or damaged ({said}); export the model again") from error
    graphs = [graph for graph in found.meta_graphs if "serve" in graph.meta_info_def.tags]
    signatures = graphs[0].signature_def if graphs else {}
    signature = signatures[signature_key(sorted(signatures), file)]
    inputs, outputs = (
        tuple(_end(name, info) for name, info in sorted(ends.items())) for ends in (signature.inputs, signature.outputs)
    )
    # Keras' own export lists each variable twice, the second time by the same name
    variables = {
        (node.variable.name, tuple(size.size for size in node.variable.shape.dim))
        for node in graphs[0].object_graph_def.nodes
        if node.WhichOneof("kind") == "variable"
    }
    return inputs, outputs, sum(math.prod(shape) for _, shape in variables)


def _end(name: str, info: Any) -> End:
    import tensorflow as tf

    sizes = tuple(None if size.size < 0 else int(size.size) for size in info.tensor_shape.dim)
    return End(name, sizes, tf.dtypes.as_dtype(info.dtype).name)


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
