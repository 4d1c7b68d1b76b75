"""Write LiteRT files: the TensorFlow converter and ai-edge-quantizer behind one function.

Both engines start from the same function of one sample, which spares a flattening model its run-time shape arithmetic;
files of a model that share `Conversions` share it. What they write is rewritten without names, so that the
same model gives the same bytes in any process.
Options: https://ai.google.dev/edge/litert/conversion/tensorflow/quantization.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.conversions import Conversions, conversions_of
from compress.ends import INPUT_NAME
from compress.errors import CompressError, ConversionError
from compress.model_file import ModelFile
from compress.quantization.calibration import BINS, percentile_range
from compress.quantization.float_layers import MARK, converter_leaving_float, float_scopes
from compress.quantization.masks import attention_masks
from compress.quantization.quiet import quiet_conversion
from compress.quantization.signature import Serving, serving
from compress.quantization.tflite_names import called, with_signature, without_names
from compress.records import fields

if TYPE_CHECKING:
    import keras

    from compress.quantization.calibration import Ranges
    from compress.quantization.export import Engine, Granularity, Precision
    from compress.quantization.float_layers import FloatLayers
    from compress.quantization.masks import Masks

INTEGERS = ("int8", "int16x8")
"""Precisions of integer activations."""


def write_litert(
    model: keras.Model | ModelFile,
    precision: Precision,
    *,
    engine: Engine = "converter",
    granularity: Granularity = "channel",
    calibration: NDArray[Any] | None = None,
    ranges: Ranges = "min_max",
    masks: Masks = "bounded",
    float_layers: FloatLayers = "kept",
) -> bytes:
    """Return the content of a .tflite file that holds `model` at `precision`.

    A model that is a .tflite file goes through ai-edge-quantizer, as the converter reads none. `calibration`,
    ``(100, 28, 28, 1)``, is needed by ``int8`` and ``int16x8``, whose inputs and outputs are integers too; only
    ``ai_edge`` takes `ranges`. `masks` of attention are written so that integers can hold them, unless they are to be
    kept (see `compress.quantization.masks`), and `float_layers` stay float (see `compress.quantization.float_layers`).
    Outputs that such a layer computes are float. Raises `ConversionError` when the engine cannot convert the model.
    """
    remedy = "try the other engine or another step; COMPRESS_VERBOSE=1 shows all that the converter prints"
    with quiet_conversion(f"{precision}(engine={engine})", "litert", remedy):
        conversions = conversions_of(model)
        given = isinstance(model, ModelFile) and model.format == "tflite"
        bounded = precision in INTEGERS and masks == "bounded"
        if precision == "float32" or engine == "ai_edge" or given:
            name = "bounded tflite" if bounded and not given and _function(model, conversions, False)[2] else "tflite"
            content = conversions.once(name, lambda: _float32(model, conversions, bounded=name != "tflite"))
            if precision != "float32":
                content = _ai_edge(content, precision, granularity, calibration, ranges, float_layers)
        else:
            content = _convert(model, conversions, precision, granularity, calibration, bounded, float_layers)
        if precision == "int16x8":  # XNNPACK, which runs int8, counts in other steps
            _check_clips(content)
        return without_names(content)


def _float32(model: keras.Model | ModelFile, conversions: Conversions, *, bounded: bool) -> bytes:
    """Return what ai-edge-quantizer starts from."""
    if isinstance(model, ModelFile) and model.format == "tflite":
        return with_signature(model.read())
    return _convert(model, conversions, "float32", "channel", None, bounded)


def _function(model: keras.Model | ModelFile, conversions: Conversions, bounded: bool) -> tuple[Any, Serving, bool]:
    """Return what `_traced` does, with masks that integers can hold where there are any and it is asked for."""
    as_it_is = conversions.once("function", lambda: _traced(model, bounded=False))
    if not (bounded and as_it_is[2]):
        return as_it_is
    return conversions.once("bounded function", lambda: _traced(model, bounded=True))


def _traced(model: keras.Model | ModelFile, *, bounded: bool) -> tuple[Any, Serving, bool]:
    """Return the model as a concrete function of one sample, what it serves, and whether it masks attention.

    Outputs are in the order of their names.

    The converter freezes it as it is. By way of a SavedModel, which it writes and reads back for every file, the same
    bytes take six times as long.
    """
    import tensorflow as tf

    found = serving(model)
    traced = tf.function(lambda *tensors: list(found.answer(*tensors).values()), input_signature=list(found.specs))
    with attention_masks(bounded=bounded) as masks:
        concrete = traced.get_concrete_function()
    return concrete, found, masks.masked


def _feed(sample: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return one sample as a batch of one, by the names of the inputs."""
    return fields(sample[None], INPUT_NAME)


def _convert(
    model: keras.Model | ModelFile,
    conversions: Conversions,
    precision: Precision,
    granularity: Granularity,
    calibration: NDArray[Any] | None,
    bounded: bool,
    float_layers: FloatLayers = "kept",
) -> bytes:
    import tensorflow as tf

    function, found, _ = _function(model, conversions, bounded)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    inputs = found.ends.inputs
    scopes = float_scopes(model)
    left = scopes if float_layers == "kept" else None
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision in ("int8", "int16x8"):
        samples = _needed(calibration, precision)
        converter.representative_dataset = lambda: (
            [_feed(sample)[one.name].astype(one.dtype) for one in inputs] for sample in samples
        )
        operations = tf.lite.OpsSet
        whole, integer = {
            "int8": (operations.TFLITE_BUILTINS_INT8, tf.int8),
            "int16x8": (operations.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8, tf.int16),
        }[precision]
        converter.target_spec.supported_ops = [whole]
        if precision == "int16x8" and left:  # operations without such integers are refused otherwise
            converter.target_spec.supported_ops = [whole, operations.TFLITE_BUILTINS]
        if all(np.issubdtype(np.dtype(one.dtype), np.floating) for one in inputs):
            converter.inference_input_type = integer
        converter.inference_output_type = tf.float32 if left else integer
    # public since TensorFlow 2.3 by this underscored name only
    converter._experimental_disable_per_channel = granularity == "tensor"
    names = [one.name for one in inputs]
    with converter_leaving_float(left):
        content = bytes(converter.convert())
    return with_signature(content, names, found.ends.outputs, marked=scopes)


def _ai_edge(
    content: bytes,
    precision: Precision,
    granularity: Granularity,
    calibration: NDArray[Any] | None,
    ranges: Ranges,
    float_layers: FloatLayers,
) -> bytes:
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.algorithm_manager import AlgorithmName
    from ai_edge_quantizer.quantizer import Quantizer

    quantizer = Quantizer(bytearray(content))
    every: dict[str, Any] = {"regex": ".*", "operation_name": qtyping.TFLOperationName.ALL_SUPPORTED}
    if precision == "dynamic_range":
        quantizer.add_dynamic_config(**every, num_bits=8)
    elif precision == "float16":
        quantizer.add_weight_only_config(**every, num_bits=16, algorithm_key=AlgorithmName.FLOAT_CASTING)
    elif precision in ("int8", "int16x8"):
        grain = qtyping.QuantGranularity
        quantizer.add_static_config(
            **every,
            activation_num_bits=8 if precision == "int8" else 16,
            weight_num_bits=8,
            weight_granularity=grain.CHANNELWISE if granularity == "channel" else grain.TENSORWISE,
        )
    if precision in INTEGERS and float_layers == "kept":
        # a scope is the names of an operator's outputs with a semicolon behind each
        quantizer.update_quantization_recipe(
            f"{MARK};", every["operation_name"], algorithm_key=AlgorithmName.NO_QUANTIZE
        )
    found = None
    if quantizer.need_calibration:
        samples = _needed(calibration, precision)
        found = _extremes(content, quantizer.get_quantization_recipe(), samples)
        if ranges == "percentile":
            found = _percentiles(content, found, samples)
    written, names = bytes(quantizer.quantize(found).quantized_model), called(content)
    # the engine moves an output that something else reads too, and leaves the signature where it was
    return written if called(written) == names else with_signature(written, *names)


def _extremes(content: bytes, recipe: Any, samples: NDArray[Any]) -> dict[str, Any]:
    """Return each tensor's smallest and largest value over `samples`.

    The engine's own `calibrate` averages the samples' extremes, which clips whatever is above average: the largest
    logits first. The converter takes the extremes, and so do we, for both engines.
    """
    from ai_edge_quantizer.calibrator import Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    manager = RecipeManager()
    manager.load_quantization_recipe(recipe)
    calibrator = Calibrator(content, num_threads=1, qsv_update_func=min_max_update)
    calibrator.calibrate({"serving_default": [_feed(sample) for sample in samples]}, manager)
    ranges: dict[str, Any] = calibrator.get_model_qsvs()
    return ranges


def _percentiles(content: bytes, extremes: dict[str, Any], samples: NDArray[Any]) -> dict[str, Any]:
    """Return `extremes` narrowed to the middle values of each tensor over `samples`, which are run once more.

    The engine's own update of ranges sees no values, only each sample's extremes.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, experimental_preserve_all_tensors=True, num_threads=1)
    interpreter.allocate_tensors()
    run = interpreter.get_signature_runner("serving_default")
    places = {entry["name"]: entry["index"] for entry in interpreter.get_tensor_details() if entry["name"] in extremes}
    # as float64, in which even the outputs of a softmax that hardly differ span 2,048 bins
    ends = {
        name: (np.float64(np.min(extremes[name]["min"])), np.float64(np.max(extremes[name]["max"]))) for name in places
    }
    counts = {name: np.zeros(BINS, np.int64) for name in places}
    for sample in samples:
        run(**_feed(sample))
        for name, index in places.items():
            counts[name] += np.histogram(interpreter.get_tensor(index), BINS, ends[name])[0]
    narrowed = {}
    for name, found in extremes.items():
        low, high = percentile_range(counts[name], *ends[name])
        narrowed[name] = {**found, "min": np.full_like(found["min"], low), "max": np.full_like(found["max"], high)}
    return narrowed


def _check_clips(content: bytes) -> None:
    """Raise `ConversionError` when LiteRT would not load an int16x8 file because the bound of a relu6 overflows.

    It holds the 6 of a relu6 as a whole number of steps in 32 bits, which is too few for outputs that all stay near
    zero ("no_integer_overflow_from_quantization was not true").
    """
    from ai_edge_litert.schema_py_generated import ActivationFunctionType, ModelT

    for graph in ModelT.InitFromPackedBuf(content, 0).subgraphs:
        for operator in graph.operators:
            bound = getattr(operator.builtinOptions, "fusedActivationFunction", ActivationFunctionType.NONE)
            quantization = graph.tensors[operator.outputs[0]].quantization
            if bound != ActivationFunctionType.RELU6 or quantization is None or quantization.scale is None:
                continue
            scale = float(quantization.scale[0])
            if scale * (2**31 - 1) < 6:
                raise ConversionError(
                    f"int16x8@litert: LiteRT cannot load such a file: a layer that ends in relu6 gives values so "
                    f"small, in steps of {scale:.2g}, that 6 overflows 32 bits; give the network weights (or batch "
                    "statistics) that keep its activations from vanishing"
                )


def _needed(calibration: NDArray[Any] | None, precision: str) -> NDArray[Any]:
    if calibration is None:
        raise CompressError(f"{precision} needs calibration samples; pass training inputs")
    return calibration
