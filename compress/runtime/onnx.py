"""Run ONNX files in ONNX Runtime on the CPU, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.ends import INPUT_NAME, OUTPUT_NAME, names_of
from compress.errors import ModelFileError
from compress.runtime.answers import answers, check_fields
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
    """A model in ONNX Runtime. `invoke` runs one sample at a time: in a batch, dynamic ranges would be shared.

    Several inputs, and outputs, are told apart by name (`compress.ends.names_of`).
    """

    def __init__(self, session: Any) -> None:
        self._session = session
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if not inputs or not outputs:
            raise ModelFileError(f".onnx file has {len(inputs)} inputs and {len(outputs)} outputs")
        self.input_names = names_of([one.name for one in inputs], INPUT_NAME)
        self.output_names = names_of([one.name for one in outputs], OUTPUT_NAME)
        for one in inputs:
            if one.type not in _INPUT_DTYPES:
                raise ModelFileError(f".onnx file takes {one.type}, which cannot be made from float32 samples")
        self._inputs = {
            name: (one.name, _INPUT_DTYPES[one.type]) for name, one in zip(self.input_names, inputs, strict=True)
        }
        self._outputs = [one.name for one in outputs]
        self.input_shapes = {
            name: tuple(size if isinstance(size, int) else -1 for size in one.shape[1:])
            for name, one in zip(self.input_names, inputs, strict=True)
        }
        self.input_shape = self.input_shapes[INPUT_NAME] if len(inputs) == 1 else ()

    @property
    def versions(self) -> dict[str, str]:
        """Distribution name -> version; looked up when asked, as that reads files and loading is timed."""
        return {"onnxruntime": version("onnxruntime")}

    def _feeds(self, sample: NDArray[Any]) -> dict[str, NDArray[Any]]:
        return {
            own: np.ascontiguousarray(sample if sample.dtype.names is None else sample[name], dtype)
            for name, (own, dtype) in self._inputs.items()
        }

    def invoke(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the outputs of the samples `x`, one inference each."""
        check_fields(x, self.input_names)
        outputs: dict[str, list[NDArray[np.float32]]] = {name: [] for name in self.output_names}
        for sample in x:
            found = self._session.run(self._outputs, self._feeds(sample[None]))
            for name, output in zip(self.output_names, found, strict=True):
                outputs[name].append(output[0])
        return answers(outputs)

    def answer(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs of one sample by name."""
        given = {own: np.ascontiguousarray(sample[name], dtype) for name, (own, dtype) in self._inputs.items()}
        found = self._session.run(self._outputs, given)
        return {name: np.asarray(one, np.float32) for name, one in zip(self.output_names, found, strict=True)}

    def bind(self, x1: NDArray[Any]) -> Callable[[], object]:
        """Return ``run_with_iobinding`` over `x1` in place; ONNX Runtime allocates the outputs in each call."""
        check_fields(x1, self.input_names)
        binding = self._session.io_binding()
        for name, value in self._feeds(x1).items():
            binding.bind_cpu_input(name, value)
        for name in self._outputs:
            binding.bind_output(name, "cpu")
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
