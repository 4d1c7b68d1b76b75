"""GPTQ: quantize a matrix column by column, each column's error made good by those that are still to come.

Frantar et al. 2022, "GPTQ: Accurate post-training quantization for generative pre-trained transformers" (arXiv
2210.17323), algorithm 1: the Cholesky factor of the inverse Hessian, damping by 1 % of the Hessian's mean diagonal.
Columns go in their own order, and a block's scale is chosen when its first column is reached, as in section 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import QuantizationError
from compress.quantization.int4_grid import block_scales, from_codes, to_codes

DAMPING = 0.01


def gptq(
    rows: NDArray[np.floating[Any]],
    hessian: NDArray[np.float64],
    block: int,
    damping: float = DAMPING,
    given: NDArray[np.float32] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Return int4 codes ``(out, in)`` and block scales ``(out, ceil(in / block))`` with a small error of the outputs.

    `hessian` ``(in, in)`` is the sum of x xT over the layer's inputs x; its scale does not matter. What is kept small
    is ``sum_x |(rows - quantized) x|^2``, where rounding to nearest minimises each weight's own error; on a Hessian
    that is diagonal the two are the same. Scales that are `given` are kept. Raises `QuantizationError` when the
    Hessian is not the inputs' or not finite.
    """
    columns = rows.shape[1]
    if hessian.shape != (columns, columns):
        raise QuantizationError(f"a matrix of shape {rows.shape} needs a Hessian {(columns, columns)}")
    factor = inverse_factor(hessian, damping)
    left = np.array(rows, np.float64)
    codes = np.zeros(left.shape, np.uint8)
    scales = []
    for start in range(0, columns, block):
        end = min(start + block, columns)
        place = start // block
        scale = block_scales(left[:, start:end], block) if given is None else given[:, place : place + 1]
        scales.append(scale)
        errors = np.empty((len(left), end - start))
        for column in range(start, end):
            code = to_codes(left[:, column : column + 1], scale, 1)
            error = left[:, column] - from_codes(code, scale, 1)[:, 0]
            codes[:, column] = code[:, 0]
            errors[:, column - start] = error / factor[column, column]
            left[:, column + 1 : end] -= np.outer(errors[:, column - start], factor[column, column + 1 : end])
        left[:, end:] -= errors @ factor[start:end, end:]
    return codes, np.concatenate(scales, axis=1)


def inverse_factor(hessian: NDArray[np.float64], damping: float) -> NDArray[np.float64]:
    """Return the upper triangular U with ``UT U = (hessian + damping x mean diagonal x 1)^-1``, ``(in, in)``.

    An input that never was anything but zero gets the damping alone, so that its weights are rounded to nearest.
    Raises `QuantizationError` for a Hessian that is not finite or, damped, not positive definite.
    """
    mean = float(np.mean(np.diag(hessian)))
    if not np.isfinite(hessian).all():
        raise QuantizationError("GPTQ needs finite activations; check the calibration samples")
    damped = hessian + (damping * mean or 1.0) * np.eye(len(hessian))
    try:
        # of the matrix turned around, so that damped = R RT with R upper triangular and U = R^-1
        turned = np.linalg.cholesky(damped[::-1, ::-1])[::-1, ::-1]
    except np.linalg.LinAlgError as error:
        raise QuantizationError(f"GPTQ's Hessian is not positive definite with damping {damping}: {error}") from error
    return np.triu(np.linalg.inv(turned))
