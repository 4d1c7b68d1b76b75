"""Quantize chosen layers of a float .onnx file with ONNX Runtime's quantizers, which select nodes by name.

As `compress.quantization.onnxruntime` does it: prepared once, QDQ form, signed, weights per channel. The ranges of the
activations are taken once, for every file that is written.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from compress.errors import CompressError
from compress.explain.litert_layers import weighted_layers
from compress.quantization.onnx_kept_float import keep_float
from compress.quantization.onnx_names import pin_bytes, prepare_own
from compress.quantization.onnxruntime import with_flat_biases
from compress.runtime.onnx_graph import read_graph


class ONNXLayers:
    """A float .onnx file whose layers can be quantized one by one. Raises `CompressError` unless it is float32."""

    def __init__(self, content: bytes, precision: str) -> None:
        import onnx
        from onnxruntime.quantization.registry import IntegerOpsRegistry
        from onnxruntime.quantization.shape_inference import quant_pre_process

        self._precision = precision
        self._folder = tempfile.TemporaryDirectory(prefix="compress-layers-")
        self._prepared = Path(self._folder.name) / "prepared.onnx"
        model = onnx.load_model_from_string(content)
        if any("uantizeLinear" in node.op_type or "Integer" in node.op_type for node in model.graph.node):
            raise CompressError("the file is quantized already; name the float file of the network")
        named = Path(self._folder.name) / "named.onnx"
        onnx.save(prepare_own(model), named)
        if precision == "int8":
            quant_pre_process(named, self._prepared, skip_symbolic_shape=True)
        else:
            self._prepared = named
        model = with_flat_biases(onnx.load(self._prepared))
        for node in model.graph.node:
            node.name = node.output[0]  # the quantizer's handle
        onnx.save(model, self._prepared)
        nodes = weighted_layers(read_graph(model.SerializeToString()))
        if precision != "int8":  # a Gemm is split into a MatMul and an Add first
            nodes = [node for node in nodes if node.op in IntegerOpsRegistry or node.op == "Gemm"]
        self.layers = {node.name: node.op for node in nodes}
        self._gemms = {node.name for node in nodes if node.op == "Gemm"}
        self._inputs = [value.name for value in model.graph.input]
        self._ranges: Any = None

    def calibrate(self, runs: Iterable[tuple[NDArray[Any], ...]]) -> None:
        """Take each value's range over `runs`, once for every file that is written."""
        from onnxruntime.quantization import CalibrationMethod, create_calibrator
        from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

        if self._precision != "int8":
            return
        kinds = sorted({*QDQRegistry, *QLinearOpsRegistry})
        augmented = str(Path(self._folder.name) / "augmented.onnx")
        calibrator = create_calibrator(
            self._prepared, kinds, augmented_model_path=augmented, calibrate_method=CalibrationMethod.MinMax
        )
        calibrator.collect_data(_Runs(self._inputs, runs))
        self._ranges = calibrator.compute_data()

    def write(self, kept: Collection[str]) -> bytes:
        """Return the file with every operation quantized that the engine can, the layers in `kept` left in float."""
        return self._write([], [self._handle(name) for name in kept])

    def write_only(self, layer: str) -> bytes:
        """Return the file with this layer alone quantized."""
        return self._write([self._handle(layer)], [])

    def _handle(self, name: str) -> str:
        return f"{name}_MatMul" if self._precision != "int8" and name in self._gemms else name

    def _write(self, only: list[str], kept: list[str]) -> bytes:
        import onnx
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
        from onnxruntime.quantization.quant_utils import load_model_with_shape_infer
        from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

        path = Path(self._folder.name) / "written.onnx"
        if self._precision == "int8":
            kinds = sorted({*QDQRegistry, *QLinearOpsRegistry})
            model = load_model_with_shape_infer(self._prepared)
            signed = QuantType.QInt8
            # what quantize_static does once it has the ranges, which it would take anew for every file
            quantizer = QDQQuantizer(model, True, False, signed, signed, self._ranges, only, kept, kinds, {})
            quantizer.quantize_model()
            quantizer.model.save_model_to_file(path, False)
        else:
            options = {"nodes_to_quantize": only, "nodes_to_exclude": kept}
            quantize_dynamic(self._prepared, path, weight_type=QuantType.QInt8, per_channel=True, **options)
        written = onnx.load(path)
        keep_float(written)
        return pin_bytes(written)


class _Runs:
    """ONNX Runtime's ``CalibrationDataReader``, by duck type: what each run is given, then None."""

    def __init__(self, names: list[str], runs: Iterable[tuple[NDArray[Any], ...]]) -> None:
        self._names = names
        self._left = iter(runs)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        run = next(self._left, None)
        return None if run is None else dict(zip(self._names, run, strict=True))
