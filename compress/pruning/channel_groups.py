"""Which channels of a network can only go together: dependencies across joins, found by following channels through it.

Every channel that a layer computes gets a number, and every tensor carries the numbers along its last axis. Addition
makes two numbers one; concatenation, flattening and depthwise convolution line them up. Channels of one number are
removed together or not at all. (The coupling is that of Fang et al. 2023, "DepGraph"; it is solved here on the graph
that Keras keeps, not by tracing.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from compress.pruning.multiply_adds import CONVOLUTIONS, DEPTHWISE, SEPARABLE, TRANSPOSED, calls, kind, positions

if TYPE_CHECKING:
    import keras

Numbers = NDArray[np.int64]

_SMOOTH = [
    "celu",
    "elu",
    "exponential",
    "gelu",
    "log_sigmoid",
    "mish",
    "selu",
    "sigmoid",
    "silu",
    "softplus",
    "softsign",
]
_PIECEWISE = ["hard_sigmoid", "hard_silu", "hard_tanh", "leaky_relu", "linear", "relu", "relu6", "sparse_plus"]
_OTHERS = ["hard_shrink", "soft_shrink", "sparse_sigmoid", "squareplus", "tanh", "tanh_shrink", "threshold"]
_ELEMENTWISE = frozenset(_SMOOTH + _PIECEWISE + _OTHERS)
"""Activations that compute every channel from itself alone."""

_ACTIVATING = ["ReLU", "LeakyReLU", "ELU", "ActivityRegularization", "Identity"]
_NOISY = ["AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise"]
_POOLING = ["MaxPooling", "AveragePooling", "GlobalMaxPooling", "GlobalAveragePooling"]
_SPATIAL = [*_POOLING, "Cropping", "SpatialDropout", "UpSampling", "ZeroPadding"]
_PASSING = frozenset(_ACTIVATING + _NOISY + [f"{name}{dimensions}D" for name in _SPATIAL for dimensions in (1, 2, 3)])
"""Layers that leave every channel what it was, whatever they do to its values or move in space."""

_MERGING = frozenset(["Add", "Average", "Maximum", "Minimum", "Multiply", "Subtract"])


@dataclass(frozen=True)
class Slice:
    """An axis of a layer's weight that channels run along: removing channel n removes the entries that say n."""

    layer: str
    weight: str
    axis: int
    numbers: Numbers
    makes: bool
    """Whether the weights along the axis compute these channels, rather than read them."""


@dataclass(frozen=True)
class Product:
    """Multiply-adds of a kernel: ``factor`` times how many channels are left along each of its axes of `Slice`."""

    factor: int
    slices: tuple[int, ...]


@dataclass
class Channels:
    """The channels of a network: which weights each runs through, and which can only go together.

    ``slices`` are the weights' axes; ``widths`` by layer and configuration key, the numbers whose count is the layer's
    width; ``fixed`` says of each number whether its channel has to stay. Numbers are those of the coupled channels.
    """

    slices: list[Slice] = field(default_factory=list)
    products: list[Product] = field(default_factory=list)
    widths: dict[str, tuple[str, Numbers]] = field(default_factory=dict)
    fixed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))


def find_channels(model: keras.Model) -> Channels:
    """Return the channels of a functional or sequential model.

    Channels of the model's inputs and outputs are fixed, and so are those that meet a layer that is not known to keep
    channels apart: Keras' own are, and any with a true attribute ``keeps_channels_apart``. Raises `RecipeError` for a
    subclassed model and for one whose input has no fixed size.
    """
    return _Walk().over(model)


class _Walk:
    """One pass over a graph. Numbers are joined as in Tarjan's disjoint sets; 0 stands for all fixed channels."""

    def __init__(self) -> None:
        self.parents = [0]
        self.found = Channels()
        self.made: dict[str, tuple[Numbers, Numbers]] = {}
        """Layers that were called before, with the channels that they read and made."""

    def over(self, model: keras.Model) -> Channels:
        every_call = list(calls(model))
        tensors = {id(tensor): np.zeros(_width(tensor), np.int64) for tensor in model.inputs}
        for call in every_call:
            inputs = [tensors[id(tensor)] for tensor in call.input_tensors if id(tensor) in tensors]
            outputs = self.call(call, inputs) if len(inputs) == len(call.input_tensors) else None
            if outputs is None:
                self.fix(inputs)
            for tensor in call.output_tensors:
                tensors[id(tensor)] = np.zeros(_width(tensor), np.int64) if outputs is None else outputs
        self.fix(tensors[id(tensor)] for tensor in model.outputs)
        return self.result()

    def result(self) -> Channels:
        roots = np.array([self.root(number) for number in range(len(self.parents))], np.int64)
        self.found.slices = [
            Slice(each.layer, each.weight, each.axis, roots[each.numbers], each.makes) for each in self.found.slices
        ]
        self.found.widths = {name: (key, roots[numbers]) for name, (key, numbers) in self.found.widths.items()}
        self.found.fixed = roots == 0
        return self.found

    def root(self, number: int) -> int:
        while self.parents[number] != number:
            self.parents[number] = self.parents[self.parents[number]]
            number = self.parents[number]
        return number

    def join(self, one: Numbers, other: Numbers) -> None:
        for a, b in zip(one.tolist(), other.tolist(), strict=True):
            low, high = sorted((self.root(a), self.root(b)))
            self.parents[high] = low  # so that what is joined to a fixed channel is fixed

    def fix(self, tensors: Iterable[Numbers]) -> None:
        for numbers in tensors:
            self.join(numbers, np.zeros_like(numbers))

    def new(self, count: int) -> Numbers:
        start = len(self.parents)
        self.parents.extend(range(start, start + count))
        return np.arange(start, start + count, dtype=np.int64)

    def call(self, call: Any, inputs: list[Numbers]) -> Numbers | None:
        """Return the channels that a call gives, or None when it may mix what it is given."""
        layer, name = call.operation, kind(call.operation)
        rule: Callable[[Any, list[Numbers]], Numbers | None] | None = None
        if name in CONVOLUTIONS or name in TRANSPOSED or name in DEPTHWISE or name in SEPARABLE or name == "Dense":
            rule = self.weighted
        elif name in ("BatchNormalization", "PReLU"):
            rule = self.channelwise
        elif getattr(layer, "keeps_channels_apart", False):  # what a layer of somebody's own says of itself
            rule = self.channelwise if layer.weights else _passed
        elif name in _MERGING:
            rule = self.merged
        elif name == "Concatenate":
            rule = self.concatenated
        elif name in ("Flatten", "Reshape"):
            rule = self.reshaped
        elif name in _PASSING or (name == "Activation" and _is_elementwise(layer)):
            rule = None if getattr(layer, "noise_shape", None) else _passed
        channels_last = getattr(layer, "data_format", None) in (None, "channels_last")
        one_output = len(call.output_tensors) == 1 and len(call.output_tensors[0].shape) > 1
        return rule(call, inputs) if rule and inputs and channels_last and one_output else None

    def weighted(self, call: Any, inputs: list[Numbers]) -> Numbers | None:
        """Follow channels into the kernels of a convolution or dense layer, and number those that it makes."""
        layer, name = call.operation, kind(call.operation)
        quantized = getattr(layer, "quantization_mode", None) or getattr(layer, "lora_enabled", False)
        if quantized or getattr(layer, "groups", 1) != 1:
            return None
        (read,) = inputs
        if layer.name in self.made:
            first_read, made = self.made[layer.name]
            self.join(read, first_read)
            self.count(call)
            return made
        if name in DEPTHWISE:
            made = np.repeat(read, layer.depth_multiplier)
            self.slice(layer, "kernel", -2, read, makes=True)
        elif name in SEPARABLE:
            made = self.new(layer.filters)
            self.slice(layer, "depthwise_kernel", -2, read)
            self.slice(layer, "pointwise_kernel", -2, np.repeat(read, layer.depth_multiplier))
            self.slice(layer, "pointwise_kernel", -1, made, makes=True)
        else:
            made = self.new(layer.units if name == "Dense" else layer.filters)
            axes = (-1, -2) if name in TRANSPOSED else (-2, -1)
            self.slice(layer, "kernel", axes[0], read)
            self.slice(layer, "kernel", axes[1], made, makes=True)
        if name not in DEPTHWISE:
            self.found.widths[layer.name] = ("units" if name == "Dense" else "filters", made)
        if layer.use_bias:
            self.slice(layer, "bias", 0, made, makes=True)
        self.made[layer.name] = read, made
        self.count(call)
        if not _is_elementwise(layer):
            self.fix([made])
        return made

    def channelwise(self, call: Any, inputs: list[Numbers]) -> Numbers | None:
        """Follow channels through a layer that has weights for each of them and mixes none."""
        layer, (read,) = call.operation, inputs
        last = len(call.output_tensors[0].shape) - 1
        if kind(layer) == "BatchNormalization" and layer.axis not in (-1, last):
            return None
        if layer.name in self.made:
            self.join(read, self.made[layer.name][0])
            return read
        for weight in layer.weights:
            if weight.shape[-1] == len(read) > 1:  # a PReLU may share its slope between channels
                self.slice(layer, weight.name, -1, read, makes=weight.name in ("gamma", "beta"))
        self.made[layer.name] = read, read
        return read

    def merged(self, call: Any, inputs: list[Numbers]) -> Numbers | None:
        """Make one of the channels that an elementwise layer takes together; one channel broadcast to all stays."""
        if len({len(tensor.shape) for tensor in call.input_tensors}) != 1:
            return None
        width = max(len(numbers) for numbers in inputs)
        wide = [numbers for numbers in inputs if len(numbers) == width]
        self.fix(numbers for numbers in inputs if len(numbers) != width)
        for numbers in wide[1:]:
            self.join(wide[0], numbers)
        return wide[0]

    def concatenated(self, call: Any, inputs: list[Numbers]) -> Numbers | None:
        """Line channels up along the last axis; along another, positions of one channel meet."""
        if call.operation.axis in (-1, len(call.output_tensors[0].shape) - 1):
            return np.concatenate(inputs)
        for numbers in inputs[1:]:
            self.join(inputs[0], numbers)
        return inputs[0]

    def reshaped(self, call: Any, inputs: list[Numbers]) -> Numbers | None:
        """Follow channels that stay whole along the last axis, or lie there once for every position."""
        layer, (read,) = call.operation, inputs
        before, after = call.input_tensors[0].shape, call.output_tensors[0].shape
        if None in before[1:] or None in after[1:] or after[-1] % len(read):
            return None
        lined_up = np.tile(read, after[-1] // len(read))
        if kind(layer) == "Reshape" and layer.target_shape[-1] != -1:
            self.found.widths[layer.name] = ("target_shape", lined_up)
        return lined_up

    def slice(self, layer: Any, weight: str, axis: int, numbers: Numbers, *, makes: bool = False) -> None:
        self.found.slices.append(Slice(layer.name, weight, axis, numbers, makes))

    def count(self, call: Any) -> None:
        """Note what each kernel of a layer costs in one call."""
        layer = call.operation
        for weight in layer.weights:
            along = tuple(
                index
                for index, each in enumerate(self.found.slices)
                if each.layer == layer.name and each.weight == weight.name
            )
            if weight.name.endswith("kernel"):
                widths = [len(self.found.slices[index].numbers) for index in along]
                factor = positions(call) * int(np.prod(weight.shape)) // int(np.prod(widths))
                self.found.products.append(Product(factor, along))


def _passed(call: Any, inputs: list[Numbers]) -> Numbers | None:
    return inputs[0] if len(inputs) == 1 and _width(call.output_tensors[0]) == len(inputs[0]) else None


def _width(tensor: Any) -> int:
    """Return the length of a tensor's last axis; 0 where it has none, or none that is fixed."""
    return (tensor.shape[-1] or 0) if len(tensor.shape) > 1 else 0


def _is_elementwise(layer: Any) -> bool:
    return getattr(layer.activation, "__name__", "") in _ELEMENTWISE
