"""Recipes: a named, ordered pipeline of compression steps for a target runtime, in a text form that prints back.

    prune(0.9) | int8            magnitude pruning, then full integer quantization, for LiteRT
    float16@onnx                 half precision, for ONNX Runtime
    prune(0.9, scope=layer)      no export named: written as float32

The grammar is ``step ('|' step)* ['@' runtime]`` with ``step = name ['(' value (',' [name '='] value)* ')']``. All
steps but the last go from model to model; the last writes a file. `STEPS` is the registry: one line a step.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Literal, TypeGuard, get_args, get_origin, get_type_hints

from compress.artifact import FORMATS
from compress.errors import RecipeError
from compress.step import Export, Transform

STEPS = {
    "prune": "compress.pruning.magnitude:Prune",
    "channels": "compress.pruning.channels:PruneChannels",
    "gan_slim": "compress.pruning.gan_slimming:GanSlim",
    "retrain": "compress.pruning.magnitude:Retrain",
    "transformer": "compress.pruning.transformer:PruneTransformer",
    "vocabulary": "compress.pruning.vocabulary:PruneVocabulary",
    "pst": "compress.pruning.pst:Pst",
    "prune_n_m": "compress.pruning.n_m:PruneNM",
    "prune_qat": "compress.pruning.joint:PruneQat",
    "tfmot_prune": "compress.tfmot.prune:TfmotPrune",
    "cluster": "compress.tfmot.cluster:Cluster",
    "qat": "compress.tfmot.qat:QuantizationAwareTraining",
    "kmeans": "compress.quantization.weight_sharing:Kmeans",
    "svd": "compress.lowrank.svd:Svd",
    "lora": "compress.lowrank.lora:Lora",
    "float32": "compress.quantization.export:Float32",
    "dynamic_range": "compress.quantization.export:DynamicRange",
    "float16": "compress.quantization.export:Float16",
    "int8": "compress.quantization.export:Int8",
    "int16x8": "compress.quantization.export:Int16x8",
    "int4": "compress.quantization.block_wise:Int4",
    "nf4": "compress.quantization.block_wise:NF4",
    "checkpoint": "compress.quantization.export:Checkpoint",
}
"""Step name in a recipe's text -> ``module:class`` of the frozen dataclass that does it (imported when first used)."""

DEFAULT_RUNTIME = "litert"

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TOKEN = re.compile(rf"\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<number>{_NUMBER})|(?P<mark>[|(),=@]))")


@cache
def step_class(name: str) -> type[Any]:
    """Return the step class registered as `name`. Raises `KeyError` when there is none."""
    module, _, attribute = STEPS[name].partition(":")
    found: type[Any] = getattr(import_module(module), attribute)
    return found


def _is_export(step: object) -> TypeGuard[Export]:
    return hasattr(step, "export")


@dataclass(frozen=True)
class Recipe:
    """Steps from model to model, the step that writes the file, and the runtime it is written for.

    Raises `RecipeError` when the runtime is unknown or the last step cannot write for it.
    """

    transforms: tuple[Transform, ...]
    export: Export
    runtime: str = DEFAULT_RUNTIME

    def __post_init__(self) -> None:
        if self.runtime not in FORMATS:
            raise RecipeError(f"runtime must be one of {', '.join(FORMATS)}, got {self.runtime!r}")
        if self.runtime not in self.export.runtimes:
            can = ", ".join(f"@{name}" for name in sorted(self.export.runtimes))
            raise RecipeError(f"{format_step(self.export)} cannot be written for @{self.runtime}; it can for {can}")

    @classmethod
    def parse(cls, text: str) -> Recipe:
        """Return the recipe that `text` spells. Raises `RecipeError` that names the text, the column and the reason."""
        return _Parser(text).recipe()

    def __str__(self) -> str:
        steps = [format_step(step) for step in self.transforms]
        export = format_step(self.export)
        if export != "float32" or not steps:
            steps.append(export)
        text = " | ".join(steps)
        return text if self.runtime == DEFAULT_RUNTIME else f"{text}@{self.runtime}"

    def reference(self) -> Recipe:
        """Return the recipe that ratios and drops are taken against: plain float32 in the same runtime."""
        return Recipe((), step_class("float32")(), self.runtime)


def format_step(step: object) -> str:
    """Return the text that spells `step`: its first field by position, the others by name, defaults left out."""
    target = f"{type(step).__module__}:{type(step).__qualname__}"
    name = next((name for name, registered in STEPS.items() if registered == target), None)
    if name is None:
        raise RecipeError(f"{type(step).__qualname__} is not a registered step; add it to compress.recipe.STEPS")
    arguments = []
    for index, field in enumerate(dataclasses.fields(step)):  # type: ignore[arg-type]
        value = getattr(step, field.name)
        if value != field.default:
            arguments.append(_format_value(value) if index == 0 else f"{field.name}={_format_value(value)}")
    return f"{name}({', '.join(arguments)})" if arguments else name


def _format_value(value: object) -> str:
    if value is None or isinstance(value, bool):
        return str(value).lower()
    # prune(0) and prune(0.0) are equal, so they read the same
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _accepts(hint: object, value: object) -> bool:
    """Return whether a parameter annotated `hint` takes `value`; integers count as numbers, booleans do not."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is Literal:
        return isinstance(value, str)  # which strings is the step's own to say
    if options:
        return any(_accepts(option, value) for option in options)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True


def _words(hint: object) -> str:
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "a word", type(None): "none"}
    if get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, get_args(hint)))}"
    if get_args(hint):
        return " or ".join(_words(option) for option in get_args(hint))
    return names.get(hint, str(hint))  # type: ignore[call-overload, no-any-return]


class _Parser:
    """Recursive descent over a recipe's text; every error carries the column it was found at (from 1)."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str, int]] = []
        position = 0
        while text[position:].strip():
            match = _TOKEN.match(text, position)
            if match is None:
                column = position + len(text[position:]) - len(text[position:].lstrip())
                raise self.error(f"unexpected {text[column]!r}", column)
            kind = match.lastgroup or ""
            self.tokens.append((kind, match.group(kind), match.start(kind)))
            position = match.end()
        self.tokens.append(("end", "", len(text)))
        self.index = 0

    def error(self, reason: str, position: int) -> RecipeError:
        return RecipeError(f"recipe {self.text!r}, column {position + 1}: {reason}")

    def unexpected(self, expected: str) -> RecipeError:
        kind, text, position = self.tokens[self.index]
        return self.error(f"expected {expected}, found {'the end' if kind == 'end' else repr(text)}", position)

    def take(self, kind: str, value: str = "", *, what: str = "") -> tuple[str, int]:
        found, text, position = self.tokens[self.index]
        if found != kind or (value and text != value):
            raise self.unexpected(what or repr(value))
        self.index += 1
        return text, position

    def at(self, mark: str) -> bool:
        return self.tokens[self.index][:2] == ("mark", mark)

    def recipe(self) -> Recipe:
        steps = [self.step()]
        while self.at("|"):
            self.take("mark", "|")
            steps.append(self.step())
        runtime, position = DEFAULT_RUNTIME, 0
        if self.at("@"):
            self.take("mark", "@")
            runtime, position = self.take("name", what="a runtime")
        if self.tokens[self.index][0] != "end":
            raise self.unexpected("'|', '@' or the end")
        for step, start in steps[:-1]:
            if _is_export(step):
                raise self.error(f"{format_step(step)} writes a file, so it can only come last", start)
        *transforms, (last, _) = steps
        export = last if _is_export(last) else step_class("float32")()
        before = [step for step, _ in (transforms if _is_export(last) else steps)]
        try:
            return Recipe(tuple(before), export, runtime)
        except RecipeError as error:
            raise self.error(str(error), position) from None

    def step(self) -> tuple[Any, int]:
        name, start = self.take("name", what="a step")
        if name not in STEPS:
            near = difflib.get_close_matches(name, STEPS, 1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise self.error(f"no step {name!r}; {hint}steps are {', '.join(STEPS)}", start)
        kind = step_class(name)
        arguments: dict[str, object] = {}
        if self.at("("):
            self.take("mark", "(")
            self.argument(name, kind, arguments)
            while self.at(","):
                self.take("mark", ",")
                self.argument(name, kind, arguments)
            self.take("mark", ")")
        needed = [field.name for field in dataclasses.fields(kind) if field.default is dataclasses.MISSING]
        if missing := [parameter for parameter in needed if parameter not in arguments]:
            raise self.error(f"{name} needs {' and '.join(missing)}", start)
        try:
            return kind(**arguments), start
        except ValueError as error:
            raise self.error(f"{name}: {error}", start) from None

    def argument(self, step: str, kind: type[Any], arguments: dict[str, object]) -> None:
        fields = [field.name for field in dataclasses.fields(kind)]
        start = self.tokens[self.index][2]
        if self.tokens[self.index][0] == "name" and self.tokens[self.index + 1][:2] == ("mark", "="):
            key, _ = self.take("name")
            self.take("mark", "=")
        elif list(arguments) != fields[: len(arguments)]:
            raise self.error("a value without a name cannot follow a named one", start)
        elif len(arguments) < len(fields):
            key = fields[len(arguments)]
        else:
            takes = f"{len(fields)} parameters ({', '.join(fields)})" if fields else "no parameters"
            raise self.error(f"{step} takes {takes}", start)
        if key not in fields:
            raise self.error(f"{step} has no parameter {key!r}; it has {', '.join(fields) or 'none'}", start)
        if key in arguments:
            raise self.error(f"{key} is given twice", start)
        value, at = self.value(), self.tokens[self.index - 1][2]
        hint = get_type_hints(kind)[key]
        if not _accepts(hint, value):
            raise self.error(f"{step}: {key} must be {_words(hint)}, got {_format_value(value)}", at)
        arguments[key] = value

    def value(self) -> object:
        kind, text, _ = self.tokens[self.index]
        if kind == "number":
            self.index += 1
            return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
        if kind == "name":
            self.index += 1
            return {"true": True, "false": False, "none": None}.get(text, text)
        raise self.unexpected("a value")
