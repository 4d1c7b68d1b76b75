"""Files that appear whole or not at all, whatever happens to the process that writes them.

The content goes to a file beside the place, to the disk, and then by ``rename`` (POSIX: atomic) to its name.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def write_whole(path: Path, chunks: Iterable[bytes]) -> None:
    """Write `path` whole or not at all. Raises `OSError`; nothing is left behind unless the process is killed.

    A killed process leaves ``.<name>.<process>.part``, which no reader takes for a file of its kind.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        with contextlib.suppress(OSError):  # what could not be written is the error to tell
            part.unlink(missing_ok=True)
