"""The quality metric of Ishtiaq et al. 2021, Eq. 5: compression, accuracy change and reduction factor in one number."""

from __future__ import annotations

import math


def quality(sparsity: float, bits: int, delta_points: float, reduction: float) -> float:
    """Return Q = (s + 8/p) / 2 * tanh(delta) * sigmoid(r), Eq. 5.

    ``sparsity`` s is a fraction, ``bits`` p the weights' precision, ``delta_points`` the accuracy of the variant minus
    the baseline's and ``reduction`` r the baseline's gzipped bytes over the variant's. That delta is in percentage
    points the paper does not say; only so are its printed values met (audit I07). Q is in -1..1 from 8 bits up: at 4
    bits the part that is to be "scaled between 0 to 1" is (s + 2) / 2.
    """
    return (sparsity + 8 / bits) / 2 * math.tanh(delta_points) / (1 + math.exp(-reduction))
