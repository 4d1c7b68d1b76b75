"""What a Keras file says of itself in JSON: its ends, its classes, and code that loading it would run.

A ``.keras`` file is a zip archive with ``config.json`` and ``model.weights.h5``; a whole ``.h5`` model is HDF5 with the
same JSON in the attribute ``model_config`` and its weights under ``model_weights`` (Keras' saving formats). Reading
them needs no framework.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from compress.errors import ModelFileError
from compress.model_file import ModelFile
from compress.runtime.signature import End, Ends

_RESCALING = frozenset({"Rescaling", "Normalization"})
_INSTALL = "reading Keras files needs h5py: pip install compress-bench[litert]"
_SAVE_AGAIN = "save the model again"


@dataclass(frozen=True)
class KerasConfig:
    """A model's configuration, as Keras wrote it, and how many elements its weights have."""

    config: dict[str, Any]
    parameters: int

    @property
    def layers(self) -> list[dict[str, Any]]:
        """The entries of all layers, those of nested models included."""
        return [entry for entry in _entries(self.config) if isinstance(entry.get("config"), dict)]

    @property
    def rescales_its_input(self) -> bool:
        """Whether a layer scales what comes in, so that the model takes pixels as they are."""
        return any(entry["class_name"] in _RESCALING for entry in self.layers)

    @property
    def ends(self) -> Ends:
        """Inputs and outputs; an output's shape is known when a dense layer writes it, else it is empty."""
        top = self.config["config"]
        top = top if isinstance(top, dict) else {"layers": top}
        layers = top.get("layers", [])
        by_name = {_name(layer): layer for layer in layers}
        names = _linked(top.get("input_layers"))
        first = [by_name[name] for name in names if name in by_name] or layers[:1]
        last = [by_name[name] for name in _linked(top.get("output_layers")) if name in by_name] or layers[-1:]
        given = top.get("build_input_shape") or self.config.get("build_config", {}).get("input_shape")
        inputs = tuple(_input_of(layer, given) for layer in first)
        outputs = tuple(_output_of(layer, layers) for layer in last)
        return _keyed(inputs, top.get("input_layers")), _keyed(outputs, top.get("output_layers"))


def read_keras_config(file: ModelFile) -> KerasConfig:
    """Return what a ``.keras`` or whole ``.h5`` file says of itself.

    Raises `ModelFileError` when the file is truncated, holds weights only, or holds code that loading would run: a
    Lambda layer, or a class that is not Keras' own.
    """
    try:
        found = _archive(file) if file.format == "keras" else _hdf5(file.read())
    except ModelFileError as error:
        raise ModelFileError(f"{file.path}: {error}") from error
    # zipfile, h5py and json raise a dozen unrelated types for a file that is damaged
    except Exception as damage:
        said = str(damage).splitlines()[0] if str(damage) else type(damage).__name__
        raise ModelFileError(f"{file.path} is truncated or damaged ({said}); {_SAVE_AGAIN}") from damage
    _check_code(file, found)
    return found


def _archive(file: ModelFile) -> KerasConfig:
    with zipfile.ZipFile(file.path) as archive:
        if bad := archive.testzip():
            raise ModelFileError(f"its member {bad} is damaged; {_SAVE_AGAIN}")
        config = json.loads(archive.read("config.json"))
        return KerasConfig(config, _parameters(archive.read("model.weights.h5"), ""))


def _hdf5(content: bytes) -> KerasConfig:
    try:
        import h5py
    except ImportError as error:
        raise ModelFileError(_INSTALL) from error
    with h5py.File(io.BytesIO(content), "r") as opened:
        config = opened.attrs.get("model_config")
    if config is None:
        raise ModelFileError("it holds weights without a model; save the whole model, with model.save('x.keras')")
    return KerasConfig(json.loads(config), _parameters(content, "model_weights"))


def _parameters(content: bytes, group: str) -> int:
    """Return how many elements the data sets of an HDF5 file have, without an optimizer's."""
    try:
        import h5py
    except ImportError as error:
        raise ModelFileError(_INSTALL) from error
    sizes: list[int] = []

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and not name.startswith("optimizer") and "seed_generator" not in name:
            sizes.append(math.prod(item.shape))

    with h5py.File(io.BytesIO(content), "r") as file:
        (file[group] if group else file).visititems(visit)
    return sum(sizes)


def _check_code(file: ModelFile, found: KerasConfig) -> None:
    built = {key: value for key, value in found.config.items() if key != "compile_config"}  # which is not loaded
    for entry in _entries(built):
        name = entry["class_name"]
        if name in ("Lambda", "__lambda__"):
            raise ModelFileError(
                f"{file.path} holds a Lambda layer, which is code that loading would run; replace it by built-in "
                f"layers, and {_SAVE_AGAIN}"
            )
        module = str(entry.get("module") or "keras")
        if module.split(".")[0] not in ("keras", "builtins") or ">" in str(entry.get("registered_name") or ""):
            raise ModelFileError(
                f"{file.path} holds {name} of {module}, a class of somebody's own that cannot be loaded without its "
                "code; hand it over as a SavedModel (model.export), .tflite or .onnx file, or build it of Keras' layers"
            )


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of the configuration that names a class, the outermost first."""
    if isinstance(value, dict):
        if isinstance(value.get("class_name"), str):
            yield value
        for inner in value.values():
            yield from _entries(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _entries(inner)


def _linked(links: Any) -> list[str]:
    """Return the layers' names in ``["a", 0, 0]``, ``[["a", 0, 0], ["b", 0, 0]]`` or ``{"x": ["a", 0, 0]}``."""
    if isinstance(links, dict):
        return [name for link in links.values() for name in _linked(link)]
    if isinstance(links, list) and links and isinstance(links[0], str):
        return [links[0]]
    return [name for link in links for name in _linked(link)] if isinstance(links, list) else []


def _keyed(ends: tuple[End, ...], links: Any) -> tuple[End, ...]:
    """Return `ends` by the keys of a dictionary of links, if that is what they are."""
    if not isinstance(links, dict) or len(links) != len(ends):
        return ends
    return tuple(replace(end, name=key) for key, end in zip(links, ends, strict=True))


def _name(layer: dict[str, Any]) -> str:
    return str(layer.get("name") or layer.get("config", {}).get("name", ""))


def _dtype(config: dict[str, Any]) -> str:
    dtype = config.get("dtype", "float32")
    if isinstance(dtype, dict):  # a policy
        dtype = dtype.get("config", {}).get("name", "float32")
    return str(dtype or "float32")


def _input_of(layer: dict[str, Any], given: Any) -> End:
    config = layer.get("config", {})
    shape = config.get("batch_shape") or config.get("batch_input_shape") or given or ()
    return End(_name(layer), tuple(shape), _dtype(config))


def _output_of(layer: dict[str, Any], layers: list[dict[str, Any]]) -> End:
    position = layers.index(layer)
    while position > 0 and layer["class_name"] in ("Activation", "Softmax", "Dropout"):
        position -= 1  # as a Sequential has them, and a functional classifier as a rule
        layer = layers[position]
    units = layer.get("config", {}).get("units")
    return End(_name(layer), (None, units) if layer["class_name"] == "Dense" and units else (), "float32")
