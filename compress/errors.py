"""The errors this package raises: one base class, so that a caller can catch everything that is ours."""

from __future__ import annotations


class CompressError(Exception):
    """Base of every error raised on purpose; its message says what is wrong and what to do next."""


class RecipeError(CompressError, ValueError):
    """A recipe's text cannot be read, or its steps do not fit together."""


class ModelFileError(CompressError, ValueError):
    """A model or weight file is missing, truncated, hostile or of the wrong shape."""


class DataError(CompressError, ValueError):
    """A data set is missing, truncated, hostile or of the wrong shape."""


class QuantizationError(CompressError, ValueError):
    """An array, a scheme or a set of parameters that quantization has no meaning for."""


class ConversionError(CompressError, ValueError):
    """A converter does not write this model at this precision: asked again, it would say the same."""


class ClaimError(CompressError, ValueError):
    """A claim or a claims file is malformed."""


class LedgerError(CompressError, ValueError):
    """A stored run cannot be read or written."""


class BridgeError(CompressError, ValueError):
    """A Keras 3 model cannot be carried to tf_keras, or back."""


class RuntimeCrash(CompressError, RuntimeError):  # noqa: N818 - the word for what happened, not a slip of the caller
    """The process that ran a model file died, hung, or ran out of memory."""
