"""A model file's graph as plain data, the same for every runtime: who reads and writes which tensor."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True)
class GraphTensor:
    """A tensor, by the name that `read_parts` gives its bytes; ``dtype`` is '' and ``shape`` None where nobody knows.

    ``storage`` is alike for constants that share their bytes, None for what is computed; ``place`` is the runtime's
    number of a tensor of the main graph; ``named`` says that the name is the file's own, and not made from its place.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    storage: int | str | None = None
    place: int | None = None
    named: bool = True


@dataclass(frozen=True)
class Node:
    """An operation: its name is that of its first output; an input that is left out is ''."""

    name: str
    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """The operations of a file in its order, inner graphs' after the main one's, and the main graph's ends."""

    tensors: dict[str, GraphTensor]
    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @cached_property
    def writers(self) -> dict[str, Node]:
        """The operation that writes a tensor, by the tensor's name."""
        return {name: node for node in self.nodes for name in node.outputs}

    @cached_property
    def readers(self) -> dict[str, list[tuple[Node, int]]]:
        """The operations that read a tensor, each with the input that it is, by the tensor's name."""
        found: dict[str, list[tuple[Node, int]]] = defaultdict(list)
        for node in self.nodes:
            for position, name in enumerate(node.inputs):
                found[name].append((node, position))
        return found

    def is_constant(self, name: str) -> bool:
        """Return whether the file holds the values of the tensor `name`."""
        return name in self.tensors and self.tensors[name].storage is not None

    def dtype(self, name: str) -> str:
        """Return the storage type of the tensor `name`, '' where nobody knows."""
        return self.tensors[name].dtype if name in self.tensors else ""
