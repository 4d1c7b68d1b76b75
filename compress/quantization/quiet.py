"""Keep a converter quiet, and turn its failure into one error that quotes the end of what it printed."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import BinaryIO

from compress.errors import CompressError, ConversionError

_TAIL_LINES = 12

_PASSING = (MemoryError, OSError, ImportError)
"""What is not the converter's answer: with memory, space or a library more, the same model may be written."""


class _Descriptor(io.TextIOBase):
    """Text written straight to a descriptor, wherever that points at the time.

    A converter that sets up its logging while it is held back keeps this stream for good, so it must outlive us.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        os.write(self._descriptor, text.encode("utf-8", "replace"))
        return len(text)


_STDOUT, _STDERR = _Descriptor(1), _Descriptor(2)


def _end_of(log: BinaryIO) -> str:
    log.seek(0)
    lines = [line for line in log.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return "\n".join(lines[-_TAIL_LINES:])


@contextmanager
def captured(log: BinaryIO) -> Iterator[None]:
    """Send Python's streams and the process's own descriptors 1 and 2 into `log`: converters write from C++."""
    with ExitStack() as stack:
        for stream, descriptor in ((sys.stdout, 1), (sys.stderr, 2)):
            stream.flush()
            saved = os.dup(descriptor)
            stack.callback(os.close, saved)
            stack.callback(os.dup2, saved, descriptor)
            os.dup2(log.fileno(), descriptor)
        stack.enter_context(redirect_stdout(_STDOUT))
        stack.enter_context(redirect_stderr(_STDERR))
        yield


@contextmanager
def quiet_conversion(step: str, runtime: str, remedy: str) -> Iterator[None]:
    """Run a conversion with its pages of text held back; ``COMPRESS_VERBOSE=1`` lets them through.

    Raises `ConversionError` naming `step`, `runtime` and `remedy` for whatever the conversion raises, errors of our own
    excepted; a `CompressError` that is none, where memory, space or a library was missing.
    """
    verbose = os.environ.get("COMPRESS_VERBOSE") == "1"
    with tempfile.TemporaryFile() as log, warnings.catch_warnings():
        warnings.simplefilter("default" if verbose else "ignore")
        try:
            if verbose:
                yield
            else:
                with captured(log):
                    yield
        except CompressError:
            raise
        except Exception as error:
            printed = _end_of(log)
            said = f"\nthe converter's last lines:\n{printed}" if printed else ""
            refused = CompressError if isinstance(error, _PASSING) else ConversionError
            raise refused(
                f"{step}@{runtime} cannot be exported: {type(error).__name__}: {error}; {remedy}{said}"
            ) from error
