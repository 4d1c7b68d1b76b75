"""The last step of a recipe: a Keras 3 model, or a model file, written as a file for LiteRT, ONNX Runtime or Keras.

Precisions after Saxena et al. 2024, section III-A: float32, dynamic range (int8 weights), float16 weights, full
integer int8 calibrated on 100 training samples, and int8 weights with int16 activations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias, get_args

from numpy.typing import NDArray

from compress.errors import RecipeError
from compress.model_file import RUNTIMES, ModelFile
from compress.quantization.calibration import Inputs, Ranges, calibration_inputs
from compress.quantization.float_layers import FloatLayers
from compress.quantization.masks import Masks

if TYPE_CHECKING:
    import keras

    from compress.subject import Dataset

    Model: TypeAlias = keras.Model | ModelFile

Precision = Literal["float32", "dynamic_range", "float16", "int8", "int16x8"]
Engine = Literal["converter", "ai_edge"]
Granularity = Literal["channel", "tensor"]


@dataclass(frozen=True)
class Float32:
    """The model as it is: what ratios are taken against. On Keras, ``.weights.h5`` with the weights only."""

    runtimes: ClassVar[frozenset[str]] = frozenset({"litert", "onnx", "keras"})

    def export(self, model: Model, data: Dataset, *, runtime: str, seed: int) -> bytes:  # noqa: ARG002
        """Return the bytes of the file for `runtime`; of a .tflite or .onnx model, the file itself."""
        if runtime == "keras":
            check_keras("float32", model)
            from compress.quantization.keras_file import write_weights

            return write_weights(model)
        return _write("float32", self.runtimes, model, runtime)


@dataclass(frozen=True)
class DynamicRange:
    """Int8 weights, float32 activations that the runtime quantizes as it goes.

    LiteRT's converter leaves tensors under 1,024 elements in float32; ``ai_edge`` does not.
    """

    engine: Engine = "converter"

    runtimes: ClassVar[frozenset[str]] = frozenset({"litert", "onnx"})

    def __post_init__(self) -> None:
        _check("engine", self.engine, Engine)

    def export(self, model: Model, data: Dataset, *, runtime: str, seed: int) -> bytes:  # noqa: ARG002
        """Return the bytes of the file for `runtime`."""
        return _write("dynamic_range", self.runtimes, model, runtime, engine=self.engine)


@dataclass(frozen=True)
class Float16:
    """Float16 weights; inputs and outputs stay float32. ``ai_edge`` leaves biases in float32."""

    engine: Engine = "converter"

    runtimes: ClassVar[frozenset[str]] = frozenset({"litert", "onnx"})

    def __post_init__(self) -> None:
        _check("engine", self.engine, Engine)

    def export(self, model: Model, data: Dataset, *, runtime: str, seed: int) -> bytes:  # noqa: ARG002
        """Return the bytes of the file for `runtime`."""
        return _write("float16", self.runtimes, model, runtime, engine=self.engine)


@dataclass(frozen=True)
class Int8:
    """Full integer: int8 weights and activations, ranges from `calibration` samples.

    A LiteRT file's input and output are int8 as well ("converts all operations to int8", Saxena et al. 2024, III-A); an
    ONNX file keeps them float32 around its QuantizeLinear and DequantizeLinear. The samples are training inputs, unless
    ``inputs`` names what to go wrong with (see `calibration_inputs`). ``ranges`` are their smallest and largest values,
    or those of the middle 99.99 percent, which the TensorFlow converter cannot take. ``masks`` of attention are
    bounded, unless it is to be seen what comes of keeping them (see `compress.quantization.masks`), and layers that say
    so are left in float, unless it is to be seen why (see `compress.quantization.float_layers`).
    """

    calibration: int = 100
    granularity: Granularity = "channel"
    engine: Engine = "converter"
    inputs: Inputs = "training"
    ranges: Ranges = "min_max"
    masks: Masks = "bounded"
    float_layers: FloatLayers = "kept"

    runtimes: ClassVar[frozenset[str]] = frozenset({"litert", "onnx"})

    def __post_init__(self) -> None:
        _check_calibration(self.calibration)
        _check("granularity", self.granularity, Granularity)
        _check("engine", self.engine, Engine)
        _check("inputs", self.inputs, Inputs)
        _check("ranges", self.ranges, Ranges)
        _check("masks", self.masks, Masks)
        _check("float_layers", self.float_layers, FloatLayers)

    def export(self, model: Model, data: Dataset, *, runtime: str, seed: int) -> bytes:
        """Return the bytes of the file for `runtime`; `seed` chooses the calibration samples."""
        if (self.ranges, self.engine, runtime) == ("percentile", "converter", "litert"):
            raise RecipeError("int8(ranges=percentile): TensorFlow's converter takes min_max only; use engine=ai_edge")
        samples = calibration_inputs(data, self.inputs, self.calibration, seed)
        return _write(
            "int8",
            self.runtimes,
            model,
            runtime,
            self.engine,
            self.granularity,
            samples,
            self.ranges,
            self.masks,
            self.float_layers,
        )


@dataclass(frozen=True)
class Int16x8:
    """Full integer with int16 activations over int8 weights, ranges from `calibration` training samples.

    ``float_layers`` as for `Int8`; TensorFlow's converter gives every operation integers that it can, and only the
    others stay float.
    """

    calibration: int = 100
    engine: Engine = "converter"
    float_layers: FloatLayers = "kept"

    runtimes: ClassVar[frozenset[str]] = frozenset({"litert", "onnx"})

    def __post_init__(self) -> None:
        _check_calibration(self.calibration)
        _check("engine", self.engine, Engine)
        _check("float_layers", self.float_layers, FloatLayers)

    def export(self, model: Model, data: Dataset, *, runtime: str, seed: int) -> bytes:
        """Return the bytes of the file for `runtime`; `seed` chooses the calibration samples."""
        samples = data.calibration(self.calibration, seed)
        floats = self.float_layers
        return _write("int16x8", self.runtimes, model, runtime, self.engine, "channel", samples, float_layers=floats)


@dataclass(frozen=True)
class Checkpoint:
    """Keras ``.weights.h5`` with Adam's two slots a trainable variable: the baseline that some papers divide by."""

    runtimes: ClassVar[frozenset[str]] = frozenset({"keras"})

    def export(self, model: Model, data: Dataset, *, runtime: str, seed: int) -> bytes:
        """Return the bytes of the file for `runtime`; `seed` chooses the batch that fills missing slots."""
        _check_runtime("checkpoint", self.runtimes, runtime)
        check_keras("checkpoint", model)
        from compress.quantization.keras_file import write_checkpoint

        return write_checkpoint(model, data, seed)


def _check(field: str, value: object, allowed: object) -> None:
    choices = get_args(allowed)
    if value not in choices:
        raise RecipeError(f"{field} must be one of {', '.join(choices)}, got {value!r}")


def _check_calibration(samples: object) -> None:
    if not isinstance(samples, int) or isinstance(samples, bool) or samples < 1:
        raise RecipeError(f"calibration must be a whole number of samples from 1, got {samples!r}")


def check_keras(step: str, model: object) -> None:
    """Raise `RecipeError` when `model`, which `step` is to write for Keras, is a file of another format."""
    if isinstance(model, ModelFile):
        raise RecipeError(f"{step}@keras needs a Keras model (.keras or .h5), and {model.path} is a {model.format} one")


def _check_runtime(step: str, runtimes: frozenset[str], runtime: str) -> None:
    if runtime not in runtimes:
        raise RecipeError(f"{step} can be written for {', '.join(sorted(runtimes))}, not for {runtime!r}")


def _write(
    precision: Precision,
    runtimes: frozenset[str],
    model: Model,
    runtime: str,
    engine: Engine = "converter",
    granularity: Granularity = "channel",
    calibration: NDArray[Any] | None = None,
    ranges: Ranges = "min_max",
    masks: Masks = "bounded",
    float_layers: FloatLayers = "kept",
) -> bytes:
    """Return the file of `model` at `precision` from the adapter of `runtime`."""
    _check_runtime(precision, runtimes, runtime)
    if isinstance(model, ModelFile):
        if runtime not in RUNTIMES[model.format]:
            can = " or ".join(f"@{name}" for name in RUNTIMES[model.format])
            raise RecipeError(f"a .{model.format} model is written for {can}, not for @{runtime}; {model.path} is one")
        if precision == "float32" and model.format in ("tflite", "onnx"):
            return model.read()
    if calibration is not None:
        from compress.quantization.calls import steps

        calibration = steps(model, calibration)
    if runtime == "litert":
        from compress.quantization.litert import write_litert

        return write_litert(
            model,
            precision,
            engine=engine,
            granularity=granularity,
            calibration=calibration,
            ranges=ranges,
            masks=masks,
            float_layers=float_layers,
        )
    if engine != "converter":
        raise RecipeError(f"{precision}(engine={engine}) writes LiteRT files only; leave the engine out for @{runtime}")
    from compress.quantization.onnxruntime import write_onnx

    return write_onnx(
        model,
        precision,
        granularity=granularity,
        calibration=calibration,
        ranges=ranges,
        masks=masks,
        float_layers=float_layers,
    )
