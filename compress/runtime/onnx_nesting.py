"""Graphs inside graphs: loop bodies and branches of an ONNX model (https://github.com/onnx/onnx/blob/main/docs/IR.md)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def graphs(graph: Any) -> Iterator[Any]:
    """Yield `graph` and those inside its nodes' attributes, outermost first."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.output:
                    yield from graphs(inner)
