"""What hypothesis draws for quantization: any array of a range of sizes, and every kind of scheme for it."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from compress.quantization import Granularity, PerBlock, PerChannel, PerTensor, Scheme

EVERY_GRANULARITY: list[Granularity] = [
    PerTensor(),
    PerChannel(0),
    PerChannel(1),
    PerChannel(-1),
    PerBlock(1),
    PerBlock(2, axis=0),
    PerBlock(3, axis=1),
    PerBlock(100, axis=0),
]


def schemes(**fixed: Any) -> st.SearchStrategy[Scheme]:
    """Draw any scheme for a matrix, with the fields of `fixed` as they are."""
    fields = {
        "dtype": st.sampled_from(["int4", "int8", "uint8", "int16"]),
        "symmetric": st.booleans(),
        "narrow": st.booleans(),
        "granularity": st.sampled_from(EVERY_GRANULARITY),
        "rounding": st.sampled_from(["half_even", "half_away"]),
    }
    return st.builds(Scheme, **{**fields, **{name: st.just(value) for name, value in fixed.items()}})


@st.composite
def matrices(draw: st.DrawFn, dtype: str = "float32", *, min_side: int = 0) -> NDArray[Any]:
    """Draw a read-only finite matrix: of any values at all, denormals and the largest included, or of like size."""
    shape = draw(npst.array_shapes(min_dims=2, max_dims=2, min_side=min_side, max_side=7))
    width = np.dtype(dtype).itemsize * 8
    anything = st.floats(allow_nan=False, allow_infinity=False, width=width)
    alike = st.floats(-4, 4, width=width, allow_subnormal=False)
    array = draw(npst.arrays(dtype, shape, elements=draw(st.sampled_from([anything, alike])), fill=st.nothing()))
    array.flags.writeable = False
    return array
