"""Weights to quantize by a framework and by us, and when the two sets of codes agree."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from compress.quantization import Parameters, Scheme, choose_parameters, quantize
from compress.quantization.granularity import expand

_STEP = 2.0**-9
_TIES = np.arange(-126.5, 127) * _STEP


def weights() -> dict[str, NDArray[np.float32]]:
    """Return ``conv (out, in, h, w)``, ``dense (in, out)`` and their biases; channels differ in size.

    The first channel of either kernel holds every tie of int8, at a step that float32 holds exactly.
    """
    rng = np.random.default_rng(0)
    conv = rng.standard_normal((32, 8, 6, 6)) * np.exp(rng.normal(0, 1, (32, 1, 1, 1)))
    dense = rng.standard_normal((512, 40)) * np.exp(rng.normal(0, 1, 40))
    conv[0] = with_ties(conv[0].size).reshape(conv[0].shape)
    dense[:, 0] = with_ties(len(dense))
    biases = {"conv_bias": rng.standard_normal(32), "dense_bias": rng.standard_normal(40)}
    return {name: array.astype(np.float32) for name, array in {"conv": conv, "dense": dense, **biases}.items()}


def with_ties(size: int) -> NDArray[np.float64]:
    """Return the ties -126.5...126.5 of a scale, then values of code 127."""
    return np.concatenate([_TIES, np.full(size - _TIES.size, 127 * _STEP)])


def assert_ties_are_rounded(rule: Literal["half_even", "half_away"], theirs: NDArray[Any]) -> None:
    """Check that the codes of `with_ties` are rounded by `rule`; the other rule has another code for half of them."""
    expected = {
        "half_even": lambda x: np.rint(x),
        "half_away": lambda x: np.sign(x) * np.ceil(np.abs(x)),
    }[rule](with_ties(theirs.size) / _STEP)
    np.testing.assert_array_equal(np.ravel(theirs), expected)


def assert_same_codes(theirs: NDArray[Any], values: NDArray[Any], parameters: Parameters) -> None:
    """Compare a file's codes with ours for the same values.

    A file's scale is float32 and its quotient is taken in float32: two roundings of 2^-24 each and one of the
    reciprocal that some writers multiply by. Within that of a tie a code may be one off; anywhere else it may not, nor
    on a tie itself, which the scheme's rounding rule decides.
    """
    ours = quantize(values, parameters).astype(np.int64)
    assert theirs.dtype == parameters.scheme.storage
    steps = values.astype(np.float64) / expand(parameters.scale, values.shape, parameters.scheme.granularity)
    from_tie = np.abs(steps - np.floor(steps) - 0.5)
    differ = ours != theirs
    assert (np.abs(ours - theirs)[differ] <= 1).all()
    assert (from_tie[differ] > 0).all()
    assert (from_tie[differ] <= np.abs(steps[differ]) * 2.0**-22).all()


def assert_same_quantization(
    theirs: NDArray[Any], scale: NDArray[Any], zero_point: NDArray[Any], values: NDArray[Any], scheme: Scheme
) -> None:
    """Compare codes, scales (ours rounded to the float32 that files hold) and zero points."""
    parameters = choose_parameters(values, scheme)
    np.testing.assert_array_equal(parameters.scale.ravel().astype(np.float32), np.ravel(scale))
    np.testing.assert_array_equal(parameters.zero_point.ravel(), np.ravel(zero_point))
    assert_same_codes(theirs, values, parameters)
