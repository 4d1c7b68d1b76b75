"""Write ONNX files: tf2onnx, then ONNX Runtime's own quantizers.

Options after https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html: dynamic quantization per
channel; static quantization in QDQ form with signed weights and activations. Files take one sample at a time, as the
LiteRT ones do, so that both time the same graph and a dynamic range is never shared by a batch.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from compress.conversions import conversions_of
from compress.ends import INPUT_NAME
from compress.errors import CompressError
from compress.model_file import ModelFile
from compress.quantization.calibration import PERCENTILE
from compress.quantization.float_layers import MARK, float_scopes
from compress.quantization.masks import bound_masks
from compress.quantization.onnx_names import name_by_place, pin_bytes, prepare_own, sort_from_outputs, write_erfc_by_erf
from compress.quantization.onnx_updates import update_handlers
from compress.quantization.quiet import quiet_conversion
from compress.quantization.signature import serving
from compress.records import fields

if TYPE_CHECKING:
    import keras

    from compress.quantization.calibration import Ranges
    from compress.quantization.export import Granularity, Precision
    from compress.quantization.float_layers import FloatLayers
    from compress.quantization.masks import Masks

OPSET = 17
"""Operator set of float files; ONNX Runtime raises it to 21 for int16 activations."""


def write_onnx(
    model: keras.Model | ModelFile,
    precision: Precision,
    *,
    granularity: Granularity = "channel",
    calibration: NDArray[Any] | None = None,
    ranges: Ranges = "min_max",
    masks: Masks = "bounded",
    float_layers: FloatLayers = "kept",
) -> bytes:
    """Return the content of an .onnx file that holds `model` at `precision`, float32 in and out.

    `calibration`, ``(100, 28, 28, 1)``, is needed by ``int8`` and ``int16x8``. Raises `CompressError` when the model
    cannot be converted.
    """
    remedy = "try another step or runtime; COMPRESS_VERBOSE=1 shows all that the converter prints"
    with quiet_conversion(precision, "onnx", remedy), tempfile.TemporaryDirectory() as folder:
        import onnx

        content = conversions_of(model).once("onnx", lambda: _float32(model))
        proto = onnx.load_model_from_string(content)
        if precision == "float16":
            proto = _float16(proto)
        elif precision == "dynamic_range":
            proto = _dynamic(proto, Path(folder))
        elif precision in ("int8", "int16x8"):
            if calibration is None:
                raise CompressError(f"{precision} needs calibration samples; pass training inputs")
            if masks == "bounded":
                bound_masks(proto)
            samples = _Samples(calibration, _input_dtypes(proto))
            kept = float_layers == "kept"
            proto = _static(proto, Path(folder), samples, precision, granularity, ranges, kept=kept)
        return pin_bytes(proto)


def _input_dtypes(proto: Any) -> dict[str, Any]:
    from onnx import helper

    return {
        value.name: helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type) for value in proto.graph.input
    }


def _float32(model: keras.Model | ModelFile) -> bytes:
    import onnx

    if isinstance(model, ModelFile) and model.format == "onnx":
        return bytes(name_by_place(prepare_own(onnx.load_model_from_string(model.read()))).SerializeToString())
    proto = _converted(model)
    write_erfc_by_erf(proto)
    if len(proto.graph.input) > 1 or len(proto.graph.output) > 1:
        sort_from_outputs(proto)
    proto = name_by_place(proto, float_scopes(model))
    proto.graph.initializer.sort(key=lambda tensor: tensor.name)  # tf2onnx leaves the order to chance
    onnx.checker.check_model(proto)  # tf2onnx writes operations it does not know under TensorFlow's name
    return bytes(proto.SerializeToString())


def _converted(model: keras.Model | ModelFile) -> Any:
    import tensorflow as tf
    import tf2onnx

    found = serving(model)
    specs = list(found.specs)
    served = tf.function(found.answer, input_signature=specs)
    convert = partial(tf2onnx.convert.from_function, served, specs, opset=OPSET, custom_op_handlers=update_handlers())
    try:
        with _optimizing_in_place():
            proto = convert()[0]
    except Exception:  # a pass over the graph failed, which the copies are for
        proto = convert()[0]
    gc.collect()  # the exporter's graphs hold each other: 700 MB of a ResNet50
    return proto


@contextmanager
def _optimizing_in_place() -> Iterator[None]:
    """Spare tf2onnx the copy of its graph before each of two dozen passes, of a ResNet50 5 GB that are freed late."""
    from tf2onnx import optimizer

    optimize = optimizer.optimize_graph
    optimizer.optimize_graph = lambda graph, *_, **__: optimize(graph, catch_errors=False)
    try:
        yield
    finally:
        optimizer.optimize_graph = optimize


def _float16(proto: Any) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    converted = OnnxModel(convert_float_to_float16(proto, keep_io_types=True))
    # a constant of several operations that it leaves in float32 is cast for each of them, under one name
    casts: dict[str, Any] = {}
    for node in [one for one in converted.model.graph.node if one.op_type == "Cast"]:
        if node.output[0] in casts:
            converted.model.graph.node.remove(node)
        casts[node.output[0]] = node
    converted.topological_sort(is_deterministic=True)  # the converter puts its casts of the ends last
    return converted.model


def _dynamic(proto: Any, folder: Path) -> Any:
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = folder / "dynamic.onnx"
    quantize_dynamic(proto, path, weight_type=QuantType.QInt8, per_channel=True)
    return onnx.load(path)


def _static(
    proto: Any,
    folder: Path,
    samples: _Samples,
    precision: Precision,
    granularity: Granularity,
    ranges: Ranges,
    *,
    kept: bool,
) -> Any:
    import onnx
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    method, options = CalibrationMethod.MinMax, {}
    if ranges == "percentile":
        method = CalibrationMethod.Percentile
        options = {
            "CalibPercentile": PERCENTILE,
            "CalibTensorRangeSymmetric": False,  # each end by itself, as `percentile_range` has it
            "CalibStridedMinMax": 1,  # counts after each sample; otherwise it first holds every activation of them all
        }
    named, prepared, path = folder / "named.onnx", folder / "prepared.onnx", folder / "static.onnx"
    onnx.save(proto, named)
    # fuses MatMul and Add, so that biases become int32 at the product's scale instead of int8 at their own
    quant_pre_process(named, prepared, skip_symbolic_shape=True)
    ready = with_flat_biases(onnx.load(prepared))
    onnx.save(ready, prepared)
    quantize_static(
        prepared,
        path,
        samples,
        quant_format=QuantFormat.QDQ,
        per_channel=granularity == "channel",
        activation_type=QuantType.QInt8 if precision == "int8" else QuantType.QInt16,
        weight_type=QuantType.QInt8,
        calibrate_method=method,
        nodes_to_exclude=[node.name for node in ready.graph.node if kept and MARK in node.name],
        extra_options=options,
    )
    return onnx.load(path)


def with_flat_biases(proto: Any) -> Any:
    """Return the model with every bias row ``(1, n)`` of a Gemm stored as ``(n,)``, which is the same to it.

    ONNX Runtime's quantizer (1.31) takes a bias by its weight's channels, of which a row has one.
    """
    readers = [(node.op_type, place, name) for node in proto.graph.node for place, name in enumerate(node.input)]
    biases = {name for op, place, name in readers if (op, place) == ("Gemm", 2)}
    others = {name for op, place, name in readers if (op, place) != ("Gemm", 2)}
    for tensor in proto.graph.initializer:
        if tensor.name in biases - others and len(tensor.dims) == 2 and tensor.dims[0] == 1:
            del tensor.dims[0]
    return proto


class _Samples:
    """ONNX Runtime's ``CalibrationDataReader``, by duck type, over an array: one sample a call, then None."""

    def __init__(self, samples: NDArray[Any], dtypes: dict[str, Any]) -> None:
        self._samples, self._dtypes = samples, dtypes
        self._left = iter(samples)

    def __len__(self) -> int:
        return len(self._samples)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._left = iter(self._samples[start_index:end_index])

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        sample = next(self._left, None)
        if sample is None:
            return None
        given = fields(sample[None], INPUT_NAME)
        return {name: given[name].astype(dtype) for name, dtype in self._dtypes.items()}
