"""Run LiteRT files (.tflite) in the interpreter of ai-edge-litert, without TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.ends import INPUT_NAME, OUTPUT_NAME
from compress.errors import ModelFileError
from compress.runtime.answers import answers, check_fields
from compress.runtime.signature import field_names
from compress.runtime.tflite import op_counts, read_parts

__all__ = [
    "LiteRTSession",
    "dequantize",
    "load_session",
    "op_counts",
    "open_session",
    "prepare",
    "quantize",
    "read_parts",
]


def prepare() -> None:
    """Import the interpreter. Raises `ModelFileError` when it is not installed."""
    try:
        import ai_edge_litert.interpreter  # noqa: F401
    except ImportError as error:
        raise ModelFileError(
            "running .tflite files needs ai-edge-litert: pip install compress-bench[litert]"
        ) from error


class LiteRTSession:
    """A model in the LiteRT interpreter. Exported files take one sample at a time, so `invoke` runs one by one.

    ``names`` are those of several inputs and outputs, in the file's order.
    """

    def __init__(self, interpreter: Any, names: tuple[list[str], list[str]] | None = None) -> None:
        self._interpreter = interpreter
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        self.input_names, self.output_names = names or ([INPUT_NAME] * len(inputs), [OUTPUT_NAME] * len(outputs))
        self._inputs = dict(zip(self.input_names, inputs, strict=True))
        self._outputs = dict(zip(self.output_names, outputs, strict=True))
        self.input_shape = tuple(int(size) for size in inputs[0]["shape"][1:]) if len(inputs) == 1 else ()

    @property
    def input_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of one sample by the inputs' names."""
        return {name: tuple(int(size) for size in detail["shape"][1:]) for name, detail in self._inputs.items()}

    @property
    def versions(self) -> dict[str, str]:
        """Distribution name -> version; looked up when asked, as that reads files and loading is timed."""
        return {"ai-edge-litert": version("ai-edge-litert")}

    def _set(self, sample: NDArray[Any]) -> None:
        for name, detail in self._inputs.items():
            given = sample if sample.dtype.names is None else sample[name]
            self._interpreter.set_tensor(detail["index"], quantize(given, detail))

    def invoke(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return the outputs of the samples `x`, one inference each."""
        check_fields(x, self.input_names)
        outputs: dict[str, list[NDArray[np.float32]]] = {name: [] for name in self._outputs}
        for sample in x:
            self._set(sample[None])
            self._interpreter.invoke()
            for name, detail in self._outputs.items():
                outputs[name].append(dequantize(self._interpreter.get_tensor(detail["index"]), detail)[0])
        return answers(outputs)

    def answer(self, sample: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs of one sample by name."""
        for name, detail in self._inputs.items():
            self._interpreter.set_tensor(detail["index"], quantize(sample[name], detail))
        self._interpreter.invoke()
        return {
            name: dequantize(self._interpreter.get_tensor(detail["index"]), detail)
            for name, detail in self._outputs.items()
        }

    def bind(self, x1: NDArray[Any]) -> Callable[[], object]:
        """Return the interpreter's own ``invoke`` with `x1` in its input tensor, which no inference writes to."""
        check_fields(x1, self.input_names)
        self._set(x1)
        invoke: Callable[[], object] = self._interpreter.invoke
        return invoke


def quantize(x: NDArray[np.float32], detail: dict[str, Any]) -> NDArray[Any]:
    """Return `x` in the type of the tensor that `detail` describes: round(x / scale) + zero point, saturated.

    Halves round to even, as XNNPACK does. A tensor without a scale is only cast.
    """
    scale, zero_point = detail["quantization"]
    if scale == 0:
        return np.ascontiguousarray(x, detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    codes = np.rint(np.asarray(x, np.float32) / np.float32(scale)) + zero_point
    return np.asarray(np.clip(codes, limits.min, limits.max), detail["dtype"])


def dequantize(codes: NDArray[Any], detail: dict[str, Any]) -> NDArray[np.float32]:
    """Return the values that `codes` stand for: (code - zero point) * scale; a tensor without a scale is only cast."""
    scale, zero_point = detail["quantization"]
    if scale == 0:
        return np.asarray(codes, np.float32)
    return (codes.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def open_session(content: bytes, threads: int) -> LiteRTSession:
    """Return a session on the file `content`, its structure checked before the interpreter sees it."""
    prepare()
    read_parts(content)
    return load_session(content, threads)


def load_session(content: bytes, threads: int) -> LiteRTSession:
    """Return a session on the file `content`, whose structure `read_parts` has checked."""
    prepare()
    from ai_edge_litert.interpreter import Interpreter

    try:
        interpreter = Interpreter(model_content=content, num_threads=threads)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelFileError(f"LiteRT cannot load the .tflite file: {error}") from error
    several = len(interpreter.get_input_details()) > 1 or len(interpreter.get_output_details()) > 1
    return LiteRTSession(interpreter, field_names(content, "litert") if several else None)
