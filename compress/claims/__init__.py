"""Claims, what is concluded from measurements, and what is remembered of them."""

from compress.claims.bound import Estimate, about, at_least, at_most, between, exactly, is_true
from compress.claims.claim import claim, limits, unmeasured

__all__ = ["Estimate", "about", "at_least", "at_most", "between", "claim", "exactly", "is_true", "limits", "unmeasured"]
