"""Run ONNX files in ONNX Runtime on the CPU, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelFileError
from compress.runtime.onnx_file import op_counts, read_parts

__all__ = ["ONNXSession", "load_session", "op_counts", "open_session", "prepare", "read_parts"]

_INPUT_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


def prepare() -> None:
    """Import ONNX Runtime. Raises `ModelFileError` when it is not installed."""
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise ModelFileError(
            "running .onnx files needs onnx and onnxruntime: pip install compress-bench[onnx]"
        ) from error


class ONNXSession:
    """A model in ONNX Runtime. `invoke` runs one sample at a time: in a batch, dynamic ranges would be shared."""

    def __init__(self, session: Any) -> None:
        self._session = session
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelFileError(
                f".onnx file has {len(inputs)} inputs and {len(outputs)} outputs; "
                "only models with one of each can be run"
            )
        self._input, self._output = inputs[0].name, outputs[0].name
        if inputs[0].type not in _INPUT_DTYPES:
            raise ModelFileError(f".onnx file takes {inputs[0].type}, which cannot be made from float32 samples")
        self._dtype = _INPUT_DTYPES[inputs[0].type]
        self.input_shape = tuple(size if isinstance(size, int) else -1 for size in inputs[0].shape[1:])

    @property
    def versions(self) -> dict[str, str]:
        """Distribution name -> version; looked up when asked, as that reads files and loading is timed."""
        return {"onnxruntime": version("onnxruntime")}

    def invoke(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the outputs of the samples `x`, one inference each."""
        outputs = [
            self._session.run([self._output], {self._input: np.asarray(sample[None], self._dtype)})[0][0]
            for sample in x
        ]
        return np.asarray(outputs, np.float32)

    def bind(self, x1: NDArray[np.float32]) -> Callable[[], object]:
        """Return ``run_with_iobinding`` over `x1` in place; ONNX Runtime allocates the output in each call."""
        binding = self._session.io_binding()
        binding.bind_cpu_input(self._input, np.ascontiguousarray(x1, self._dtype))
        binding.bind_output(self._output, "cpu")
        return partial(self._session.run_with_iobinding, binding)


def open_session(content: bytes, threads: int) -> ONNXSession:
    """Return a session on the file `content`, its structure checked before ONNX Runtime sees it."""
    prepare()
    read_parts(content)
    return load_session(content, threads)


def load_session(content: bytes, threads: int) -> ONNXSession:
    """Return a session on the file `content`, whose structure `read_parts` has checked."""
    prepare()
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # fatal: everything below also comes as an exception
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base class of their own
        raise ModelFileError(f"ONNX Runtime cannot load the .onnx file: {error}") from error
    return ONNXSession(session)
