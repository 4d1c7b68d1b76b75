"""A subject that needs no framework: a matrix, four inputs, three classes, written as a small ONNX file.

The steps here stand in for the real ones in other processes too: whoever imports this module registers them.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from compress.errors import ConversionError, RecipeError
from compress.recipe import STEPS, step_class
from compress.subject import Dataset, Subject

KERNEL = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)


def data() -> Dataset:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(250, 4)).astype(np.float32)
    y = (x @ KERNEL).argmax(axis=1)
    return Dataset("tiny", x[:50], y[:50], x[50:], y[50:])


def model() -> np.ndarray:
    return KERNEL


def work() -> int:
    """Return how many values each inference adds up to no avail; more is slower, of the same bytes and answers."""
    return int(os.environ.get("TINY_WORK", "0"))


def identity() -> str:
    return f"tiny-{work()}" if work() else "tiny-1"


def subject(name: str = "tiny") -> Subject:
    return Subject(name, model, data, identity, parameters=12)


def onnx_file(kernel: np.ndarray) -> bytes:
    """Return an ONNX file of one matrix product, ``(n, 4) -> (n, 3)``, and of `work` that changes no answer."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [helper.make_node("MatMul", ["x", "kernel"], ["product" if work() else "y"])]
    constants = {"kernel": kernel.astype(np.float32)}
    if work():
        constants |= {"work": np.array([work()], np.int64), "nothing": np.zeros((), np.float32)}
        nodes += [
            helper.make_node("ReduceMax", ["x"], ["largest"], keepdims=0),
            helper.make_node("Expand", ["largest", "work"], ["many"]),
            helper.make_node("ReduceSum", ["many"], ["sum"], keepdims=0),
            helper.make_node("Mul", ["sum", "nothing"], ["zero"]),
            helper.make_node("Add", ["product", "zero"], ["y"]),
        ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8
    ).SerializeToString()
    return made


@dataclass(frozen=True)
class Plain:
    """The kernel as it is; every writing is noted in the file that ``TINY_LOG`` names."""

    runtimes: ClassVar[frozenset[str]] = frozenset({"onnx"})

    def export(self, model: np.ndarray, data: Dataset, *, runtime: str, seed: int) -> bytes:  # noqa: ARG002
        _note("plain")
        return onnx_file(model)


@dataclass(frozen=True)
class Rounded:
    """The kernel in steps of ``step``."""

    step: float = 0.25

    runtimes: ClassVar[frozenset[str]] = frozenset({"onnx"})

    def export(self, model: np.ndarray, data: Dataset, *, runtime: str, seed: int) -> bytes:  # noqa: ARG002
        _note(f"rounded {self.step}")
        return onnx_file(np.round(model / self.step) * self.step)


@dataclass(frozen=True)
class Deadly:
    """A step that does not come back: ``how`` is ``exit``, ``hang``, ``refuse``, ``err`` or ``convert``."""

    how: str = "exit"

    runtimes: ClassVar[frozenset[str]] = frozenset({"onnx"})

    def export(self, model: np.ndarray, data: Dataset, *, runtime: str, seed: int) -> bytes:  # noqa: ARG002
        _note(f"deadly {self.how}")
        if self.how == "exit":
            os._exit(1)
        if self.how == "hang":
            time.sleep(60)
        if self.how == "err":
            raise ZeroDivisionError("a mistake of the step's own")
        if self.how == "convert":
            raise ConversionError("int16x8 cannot be exported: nö kernel\nthe converter's last lines:\n  ...")
        raise RecipeError("this model cannot be written so")


def _note(what: str) -> None:
    log = os.environ.get("TINY_LOG")
    if log:
        with Path(log).open("a") as file:
            file.write(f"{what}\n")


TINY_STEPS = {
    name: f"{__name__}:{kind.__qualname__}"
    for name, kind in (("float32", Plain), ("rounded", Rounded), ("deadly", Deadly))
}
"""Entries for the registry; ``float32`` is the plain one, so that cells have their reference."""

if os.environ.get("TINY_STEPS"):
    STEPS.update(TINY_STEPS)
    step_class.cache_clear()
