"""How far each layer of a compressed file is from the same layer of the float file, in dB, and each weight tensor too.

Signal-to-quantization-noise ratio: 10 log10(sum x^2 / sum (x - x')^2), over all samples and elements.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelFileError
from compress.explain.layers import is_layer, match, match_constants
from compress.explain.samples import Samples
from compress.runtime.graph import Graph, Node
from compress.runtime.session import read_graph, weight_readers
from compress.runtime.side_by_side import TensorNoise, compare_isolated


@dataclass(frozen=True)
class LayerError:
    """A layer of the float file and its output's SQNR here, in dB; None where it could not be taken, ``why`` says why.

    ``fall_db`` is by how much it is below the worst of the layers that it reads; None for a first layer.
    ``weights_db`` is that of the layer's kernel, None where it has none that both files hold. ``then`` is, for a layer
    that was not compared, the next one behind it that was: where this file folds the two, its error is in there.
    """

    name: str
    op: str
    sqnr_db: float | None
    fall_db: float | None = None
    weights_db: float | None = None
    why: str = ""
    then: str = ""


@dataclass(frozen=True)
class WeightError:
    """A constant of the float file, by what name this file holds it, and its SQNR in dB after dequantization."""

    name: str
    layer: str
    held_as: str
    sqnr_db: float


@dataclass(frozen=True)
class LayerErrors:
    """Every layer of the float file in its order, its constants, and the SQNR of the output, in dB."""

    layers: tuple[LayerError, ...]
    weights: tuple[WeightError, ...]
    output_db: float | None


def layer_errors(model: Path, against: Path, runtime: str, samples: Samples, deadline_s: float) -> LayerErrors:
    """Return the error of each layer of the float file `against` in the file `model` of the same network.

    Both are run on `samples` in a process of their own. Raises `ModelFileError` when no layer of one is in the other,
    `RuntimeCrash` when a file ends the process.
    """
    contents = [path.read_bytes() for path in (against, model)]
    reference, other = (read_graph(content, runtime) for content in contents)
    matching = match(reference, other)
    if not matching.pairs:
        raise ModelFileError(f"{model} and {against} share no layer; name the float file of the same network")
    ends = list(zip(reference.outputs[:1], other.outputs[:1], strict=True))
    tapped = [(here, there) for _, here, there in matching.pairs]
    noises = compare_isolated(against, model, runtime, samples.feeds, [*tapped, *ends], deadline_s=deadline_s)
    found = {node.name: noise for (node, _, _), noise in zip(matching.pairs, noises, strict=False)}
    ratios = {name: sqnr_db(noise) for name, noise in found.items()}
    weights = tuple(_weights(reference, other, contents, runtime))
    kernels = {one.layer: one.sqnr_db for one in reversed(weights) if _is_kernel(reference, one.name)}
    why = {node.name: reason for node, reason in matching.unmatched}
    why |= {name: noise.differs for name, noise in found.items() if noise.differs}
    layers = tuple(
        LayerError(
            node.name,
            node.op,
            ratios.get(node.name),
            _fall(reference, node, ratios),
            kernels.get(node.name),
            why.get(node.name, ""),
            _next(reference, node, ratios) if node.name in why else "",
        )
        for node in reference.nodes
        if node.name in ratios or node.name in why
    )
    return LayerErrors(layers, weights, sqnr_db(noises[-1]))


def sqnr_db(noise: TensorNoise) -> float | None:
    """Return the ratio in dB; infinite without noise, None where there is no signal or nothing was compared."""
    if noise.differs or (not noise.signal and noise.noise):
        return None
    return 10 * math.log10(noise.signal / noise.noise) if noise.noise else math.inf


def _fall(graph: Graph, node: Node, ratios: dict[str, float | None]) -> float | None:
    """Return by how many dB a layer is below the worst of those that it reads, None where neither is known."""
    own = ratios.get(node.name)
    before: list[float] = []
    waiting, seen = list(node.inputs), set()
    while waiting:
        name = waiting.pop()
        writer = graph.writers.get(name)
        if writer is None or name in seen:
            continue
        seen.add(name)
        ratio = ratios.get(writer.name)
        if is_layer(writer) and ratio is not None:
            before.append(ratio)
        else:
            waiting += writer.inputs
    if own is None or not before or math.isinf(min(before)):
        return None
    return min(before) - own


def _next(graph: Graph, node: Node, ratios: dict[str, float | None]) -> str:
    """Return the nearest layer behind `node` that was compared, '' when there is none."""
    waiting, seen = [node.name], set()
    while waiting:
        for reader, _ in graph.readers.get(waiting.pop(0), []):
            if ratios.get(reader.name) is not None:
                return reader.name
            if reader.name not in seen:
                seen.add(reader.name)
                waiting += reader.outputs
    return ""


def _is_kernel(graph: Graph, name: str) -> bool:
    return len([size for size in graph.tensors[name].shape or () if size > 1]) >= 2


def _weights(reference: Graph, other: Graph, contents: list[bytes], runtime: str) -> list[WeightError]:
    matching = match(reference, other)
    readers = [weight_readers(content, runtime) for content in contents]
    found = []
    for name, held_as, layer in match_constants(reference, other, matching):
        pair = [_values(readers[0], name), _values(readers[1], held_as)]
        if pair[0] is None or pair[1] is None or not pair[0].size:
            continue
        exact, answer = pair[0].astype(np.float64), pair[1].astype(np.float64)
        # ONNX Runtime turns the matrix of a Gemm around where it makes a MatMul of it
        turned = [answer, answer.T] if runtime == "onnx" and answer.ndim == 2 else [answer]
        noises = [float(np.square(exact - each).sum()) for each in turned if each.shape == exact.shape]
        if noises and (ratio := sqnr_db(TensorNoise(float(np.square(exact).sum()), min(noises)))) is not None:
            found.append(WeightError(name, layer, held_as, ratio))
    return found


def _values(readers: dict[str, Callable[[], NDArray[np.float32]]], name: str) -> NDArray[np.float32] | None:
    try:
        return readers[name]()
    except (KeyError, ModelFileError):  # sparse, or a scale that is not in the file
        return None
