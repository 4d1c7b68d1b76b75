"""The bridge between Keras 3 and tf_keras (Keras 2), the only Keras that TensorFlow Model Optimization 0.8 speaks.

A model is rebuilt layer by layer from its Keras 3 configuration, and its weights are copied by name. Only layers and
activations whose two implementations compute the same are carried (Keras 2's ``hard_sigmoid`` is another function).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from compress.errors import BridgeError
from compress.training import clone

if TYPE_CHECKING:
    import keras
    import tf_keras

_IN_1D_2D_3D = [
    "AveragePooling{}D",
    "Conv{}D",
    "Conv{}DTranspose",
    "Cropping{}D",
    "GlobalAveragePooling{}D",
    "GlobalMaxPooling{}D",
    "MaxPooling{}D",
    "SpatialDropout{}D",
    "UpSampling{}D",
    "ZeroPadding{}D",
]
_MERGING = ["Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"]
_SHAPING = ["Flatten", "Permute", "RepeatVector", "Reshape"]
_ACTIVATING = ["Activation", "ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax"]
_NOISY = ["Dropout", "GaussianDropout", "GaussianNoise"]
_WEIGHTED = ["Dense", "DepthwiseConv2D", "Embedding", "SeparableConv1D", "SeparableConv2D"]
_NORMALISING = ["BatchNormalization", "LayerNormalization", "Rescaling"]

LAYERS = frozenset(
    [layer.format(dimensions) for layer in _IN_1D_2D_3D for dimensions in (1, 2, 3)]
    + _MERGING
    + _SHAPING
    + _ACTIVATING
    + _NOISY
    + _WEIGHTED
    + _NORMALISING
)
"""Layers that compute the same in both, given the same configuration and weights."""

_SATURATING = ["sigmoid", "softmax", "softplus", "softsign", "tanh"]
_RECTIFYING = ["elu", "exponential", "gelu", "leaky_relu", "linear", "mish", "relu", "relu6", "selu", "silu"]

ACTIVATIONS = frozenset(_SATURATING + _RECTIFYING)
"""Activations that compute the same in both."""

_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
_WITHOUT_EFFECT: dict[tuple[str, str], Any] = {
    ("BatchNormalization", "renorm"): False,
    ("BatchNormalization", "renorm_clipping"): None,
    ("BatchNormalization", "renorm_momentum"): 0.99,
    ("Dense", "quantization_config"): None,
    ("Embedding", "quantization_config"): None,
    ("LayerNormalization", "rms_scaling"): False,
    ("ZeroPadding1D", "data_format"): "channels_last",
}
"""Parameters that tf_keras does not have or treats otherwise, and the value at which it need not know them."""

_USE_PRUNE = "use prune(...) and retrain(...), which need no bridge, or replace the layer"

_Tensors = dict[tuple[str, int, int], Any]


def to_tf_keras(model: keras.Model) -> tf_keras.Model:
    """Return `model`, a Keras 3 functional or sequential model, as a tf_keras model of the same layers and weights.

    Shared layers, several inputs or outputs, and nested functional or sequential models are carried as they are.
    Raises `BridgeError`, naming the layer, for subclassed models and for layers, operations and activations that
    tf_keras does not have or computes otherwise.
    """
    kind = type(model)
    if kind.__name__ not in ("Functional", "Sequential") or kind.__module__.partition(".")[0] != "keras":
        raise BridgeError(
            f"model {model.name!r} is a subclass ({kind.__qualname__}): its forward pass is code, which cannot be "
            "carried to tf_keras; build it from layers as keras.Model(inputs, outputs) or keras.Sequential"
        )
    if not model.built:
        raise BridgeError(f"model {model.name!r} has no weights yet; build it, or begin it with keras.Input")
    rebuilt = _rebuild(kind.__name__, model.get_config())
    targets = dict(_leaves(rebuilt))
    for path, layer in _leaves(model):
        _copy_by_name(path, _variables(layer.weights), _variables(targets[path].weights))
    return rebuilt


def to_keras3(model: tf_keras.Model, like: keras.Model) -> keras.Model:
    """Return a Keras 3 model of the architecture of `like` with the weights of the tf_keras `model`.

    Layers are matched by name, and may still carry the wrappers of quantization-aware training: what the wrapper holds
    beside the layer's own weights (ranges, step counters) has no place in the architecture and is left behind. Raises
    `BridgeError` when a layer of `like` has no counterpart.
    """
    returned = clone(like)
    sources = dict(_leaves(model))
    for path, layer in _leaves(returned):
        *parents, name = path
        source = sources.get(path) or sources.get((*parents, f"quant_{name}"))
        if not layer.weights:
            continue
        if source is None:
            raise BridgeError(
                f"layer {'/'.join(path)} is missing from the tf_keras model: TFMOT replaced it by others; "
                "replace it by layers that TFMOT keeps (a separable convolution by a depthwise and a pointwise one)"
            )
        _copy_by_name(path, _variables(source.weights), _variables(layer.weights))
    return returned


def _leaves(model: Any, parents: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the layers of a model of either Keras by path, those of nested models in place of the model."""
    for layer in model.layers:
        path = (*parents, layer.name)
        if hasattr(layer, "layers"):
            yield from _leaves(layer, path)
        else:
            yield path, layer


def _variables(weights: list[Any]) -> dict[str, Any]:
    """Key variables by their own name: ``conv/kernel:0`` in tf_keras and ``kernel`` in Keras 3 are both ``kernel``.

    What tf_keras calls the ``depthwise_kernel`` of a depthwise convolution is its ``kernel`` in Keras 3.
    """
    named = {weight.name.rpartition("/")[2].partition(":")[0]: weight for weight in weights}
    if "depthwise_kernel" in named and "pointwise_kernel" not in named:
        named["kernel"] = named.pop("depthwise_kernel")
    return named


def _copy_by_name(path: tuple[str, ...], source: Mapping[str, Any], target: Mapping[str, Any]) -> None:
    for name, variable in target.items():
        if name not in source or tuple(source[name].shape) != tuple(variable.shape):
            held = ", ".join(f"{name} {tuple(each.shape)}" for name, each in source.items())
            raise BridgeError(
                f"layer {'/'.join(path)}: no weight {name} of shape {tuple(variable.shape)} to copy from; it has {held}"
            )
        variable.assign(source[name].numpy())


def _rebuild(kind: str, config: Mapping[str, Any]) -> tf_keras.Model:
    import tf_keras

    if kind == "Sequential":
        layers = [_rebuild_layer(layer) for layer in config["layers"]]
        return tf_keras.Sequential(layers, name=config["name"])
    layers_by_name = {layer["name"]: _rebuild_layer(layer) for layer in config["layers"]}
    tensors: _Tensors = {(name, 0, 0): each.output for name, each in layers_by_name.items() if _is_input(each)}
    pending = [
        (layer["name"], index, node)
        for layer in config["layers"]
        for index, node in enumerate(layer["inbound_nodes"])
        if not _is_input(layers_by_name[layer["name"]])
    ]
    while pending:
        waiting = [each for each in pending if not _is_ready(each[2], tensors)]
        for name, index, node in pending:
            if (name, index, node) not in waiting:
                _call(layers_by_name[name], index, node, tensors)
        if len(waiting) == len(pending):
            raise BridgeError(f"layer {pending[0][0]}: its input comes from outside the model; include that layer")
        pending = waiting
    return tf_keras.Model(
        _substituted(config["input_layers"], tensors),
        _substituted(config["output_layers"], tensors),
        name=config["name"],
    )


def _is_input(layer: Any) -> bool:
    return type(layer).__name__ == "InputLayer"


def _rebuild_layer(serialized: Mapping[str, Any]) -> Any:
    import tf_keras

    kind, config = serialized["class_name"], serialized["config"]
    name = config["name"]
    if kind in ("Functional", "Sequential"):
        return _rebuild(kind, config)
    if kind == "InputLayer":
        return tf_keras.layers.InputLayer(
            batch_input_shape=config["batch_shape"], dtype=_dtype(name, config["dtype"]), name=name
        )
    if serialized["module"] != "keras.layers" or kind not in LAYERS:
        _refuse(name, f"{serialized['module']}.{kind} has no counterpart in tf_keras that is known to compute the same")
    converted = _converted(kind, config)
    try:
        return getattr(tf_keras.layers, kind).from_config(converted)
    except (TypeError, ValueError) as error:
        _refuse(name, f"tf_keras cannot build {kind}: {error}")


def _converted(kind: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a tf_keras configuration of a layer, less its initializers: its weights are copied."""
    import tf_keras

    converted: dict[str, Any] = {}
    for key, value in config.items():
        if key.endswith("_initializer"):
            continue
        if (kind, key) in _WITHOUT_EFFECT:
            if value != _WITHOUT_EFFECT[kind, key]:
                _refuse(config["name"], f"tf_keras has no {kind} with {key}={value}")
            continue
        if key == "dtype":
            value = _dtype(config["name"], value)
        elif key.endswith("activation") and value not in ACTIVATIONS:
            _refuse(config["name"], f"activation {value} is not known to compute the same in tf_keras")
        elif key.endswith(("_regularizer", "_constraint")) and value is not None:
            known = tf_keras.regularizers if key.endswith("_regularizer") else tf_keras.constraints
            value = known.deserialize({"class_name": value["class_name"], "config": value["config"]})
        converted[_RENAMED.get((kind, key), key)] = value
    if kind == "BatchNormalization":
        # as Keras 3 computes it; the fused kernel rounds otherwise, and corrects the variance
        converted["fused"] = False
    return converted


def _dtype(name: str, dtype: Any) -> str:
    """Return the name of a Keras 3 dtype policy."""
    if not isinstance(dtype, Mapping):
        return str(dtype)
    if dtype["class_name"] != "DTypePolicy":
        _refuse(name, f"its weights are quantized already ({dtype['class_name']})")
    return str(dtype["config"]["name"])


def _refuse(layer: str, reason: str) -> NoReturn:
    raise BridgeError(f"layer {layer} cannot be carried to tf_keras: {reason}; {_USE_PRUNE}")


def _history(value: Any) -> tuple[str, int, int] | None:
    """Return the (layer, node, tensor) that a serialized argument stands for, or None."""
    if isinstance(value, Mapping) and value.get("class_name") == "__keras_tensor__":
        name, node, tensor = value["config"]["keras_history"]
        return name, node, tensor
    if isinstance(value, (list, tuple)) and len(value) == 3 and isinstance(value[0], str):
        name, node, tensor = value
        return name, node, tensor
    return None


def _is_ready(value: Any, tensors: _Tensors) -> bool:
    history = _history(value)
    if history is not None:
        return history in tensors
    if isinstance(value, Mapping):
        return all(_is_ready(each, tensors) for each in value.values())
    return not isinstance(value, (list, tuple)) or all(_is_ready(each, tensors) for each in value)


def _substituted(value: Any, tensors: _Tensors) -> Any:
    """Return a serialized argument with tf_keras tensors where it refers to a layer's output."""
    history = _history(value)
    if history is not None:
        return tensors[history]
    if isinstance(value, Mapping):
        return {key: _substituted(each, tensors) for key, each in value.items()}
    return [_substituted(each, tensors) for each in value] if isinstance(value, (list, tuple)) else value


def _call(layer: Any, index: int, node: Mapping[str, Any], tensors: _Tensors) -> None:
    arguments = _substituted(node["args"], tensors)
    options = {key: value for key, value in _substituted(node["kwargs"], tensors).items() if value is not None}
    try:
        outputs = layer(*arguments, **options)
    except (TypeError, ValueError) as error:
        _refuse(layer.name, f"tf_keras cannot call it: {error}")
    many = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    for position, tensor in enumerate(many):
        tensors[layer.name, index, position] = tensor
