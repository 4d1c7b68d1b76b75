"""An adapter: the two thin factors of each adapted kernel, as arrays and as a file that many share one base with.

Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models", section 4.1: the update of a kernel is
``alpha / rank x A B`` (their B A, as Keras's kernels are inputs by outputs).
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from compress.errors import ModelFileError, RecipeError
from compress.lowrank.targets import Target, counted
from compress.npz import read_npz

Factors = tuple[NDArray[np.float32], NDArray[np.float32]]
"""``A (inputs, rank)`` and ``B (rank, outputs)`` of one kernel."""

_REMEDY = "write it again with write_adapter, of a model with the same layers"
_ALPHA = "alpha"


@dataclass(frozen=True, eq=False)
class Adapter:
    """Factors by the path of the layer they adapt, all of one ``rank``, float32; ``alpha / rank`` scales the update.

    The arrays are made read-only. Raises `RecipeError` for factors whose shapes do not fit each other or the rank.
    """

    rank: int
    alpha: float
    factors: Mapping[str, Factors]

    def __post_init__(self) -> None:
        for path, (a, b) in self.factors.items():
            if a.ndim != 2 or b.ndim != 2 or a.shape[1] != self.rank or b.shape[0] != self.rank:
                raise RecipeError(f"factors {a.shape} and {b.shape} of {path} are not of rank {self.rank}")
            a.flags.writeable = b.flags.writeable = False

    @property
    def scale(self) -> float:
        """What the product of the factors is multiplied by."""
        return self.alpha / self.rank

    @property
    def parameters(self) -> int:
        """Number of values in all factors: rank x (inputs + outputs) a layer."""
        return counted([(a.shape[0], b.shape[1]) for a, b in self.factors.values()], self.rank)

    @property
    def parameter_bytes(self) -> int:
        """Bytes of the factors, 4 a value; the file adds its names and headers."""
        return 4 * self.parameters

    def update(self, path: str) -> NDArray[np.float32]:
        """Return what is added to a layer's kernel as a matrix: float32 ``(inputs, outputs)`` of at most the rank."""
        a, b = self.factors[path]
        product: NDArray[np.float32] = np.float32(self.scale) * (a @ b)
        return product


def initial(targets: Sequence[Target], rank: int, alpha: float | None, seed: int) -> Adapter:
    """Return the adapter that training starts from: A drawn from a normal distribution by `seed`, B zero.

    Its update is zero, so that the adapted model starts as its base (Hu et al. 2021, 4.1). The standard deviation is
    ``1 / sqrt(inputs)``, which keeps ``x A`` as large as x. ``alpha`` None is the rank: a scale of 1.
    Raises `RecipeError` for a rank above that of a kernel.
    """
    generator = np.random.default_rng(seed)
    factors = {}
    for target in targets:
        if rank > min(target.inputs, target.outputs):
            raise RecipeError(
                f"rank must be at most {min(target.inputs, target.outputs)}, that of {target.path} "
                f"({target.inputs} x {target.outputs}), got {rank}"
            )
        drawn = generator.standard_normal((target.inputs, rank)) / np.sqrt(target.inputs)
        factors[target.path] = drawn.astype(np.float32), np.zeros((rank, target.outputs), np.float32)
    return Adapter(rank, rank if alpha is None else alpha, factors)


def write_adapter(adapter: Adapter) -> bytes:
    """Return the content of an `.npz` file with ``<layer>/a`` and ``<layer>/b`` of each layer, and ``alpha``.

    The same adapter gives the same bytes.
    """
    arrays: dict[str, NDArray[Any]] = {_ALPHA: np.array(adapter.alpha, np.float32)}
    for path, (a, b) in adapter.factors.items():
        arrays[f"{path}/a"], arrays[f"{path}/b"] = a, b
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def read_adapter(path: Path, targets: Sequence[Target]) -> Adapter:
    """Return the adapter that file `path` holds for exactly these `targets` (`find_targets` of the base).

    The rank is what the file says, of 1 to that of the smallest kernel; nothing is unpickled. Raises `ModelFileError`
    that names the file when it is missing, damaged, made for other layers, or holds values that are not finite.
    """
    rank = _rank_in(path, targets)
    expected: dict[str, tuple[str, tuple[int, ...]]] = {_ALPHA: ("float32", ())}
    for target in targets:
        expected[f"{target.path}/a"] = "float32", (target.inputs, rank)
        expected[f"{target.path}/b"] = "float32", (rank, target.outputs)
    arrays = read_npz(path, expected, error=ModelFileError, remedy=_REMEDY)
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ModelFileError(f"{path} cannot be used: {name!r} holds NaN or infinity; {_REMEDY}")
    if not arrays[_ALPHA] > 0:
        raise ModelFileError(f"{path} cannot be used: alpha is {arrays[_ALPHA]}, and a scale is above 0; {_REMEDY}")
    factors = {target.path: (arrays[f"{target.path}/a"], arrays[f"{target.path}/b"]) for target in targets}
    return Adapter(rank, float(arrays[_ALPHA]), factors)


def _rank_in(path: Path, targets: Sequence[Target]) -> int:
    """Return the rank that the header of the first factor names, before any array is read on its word."""
    first = targets[0]
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{first.path}/b.npy") as member:
            if npy.read_magic(member) != (1, 0):
                raise ValueError("its arrays are not of .npy version 1.0")
            shape, _, _ = npy.read_array_header_1_0(member)
    except FileNotFoundError as missing:
        raise ModelFileError(f"{path} is missing; {_REMEDY}") from missing
    except KeyError as other:
        raise ModelFileError(f"{path} cannot be used: it has no factors of {first.path}; {_REMEDY}") from other
    # zipfile and numpy's header parser (which tokenizes Python) raise a dozen unrelated types
    except Exception as damage:
        raise ModelFileError(f"{path} cannot be used: {str(damage) or type(damage).__name__}; {_REMEDY}") from damage
    most = min(min(target.inputs, target.outputs) for target in targets)
    if len(shape) != 2 or not 1 <= shape[0] <= most:
        raise ModelFileError(f"{path} cannot be used: '{first.path}/b' is {shape}, not of rank 1 to {most}; {_REMEDY}")
    return int(shape[0])
