"""A folder of whole files under keys that say what each was made from, shared by processes and verified when read."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from compress.artifact import sha256_of
from compress.errors import CompressError

DEADLINE_S = 3600.0
_REMEDY = "free some space, or name another folder in COMPRESS_CACHE_DIR"


@dataclass(frozen=True)
class Store:
    """A folder of built files, each entry whole or absent, each verified by its digest when it is read."""

    root: Path

    def find(self, key: str, name: str) -> tuple[Path, dict[str, Any]] | None:
        """Return the file `name` of entry `key` and how it was made, or None; a damaged entry counts as absent."""
        folder = self.root / key[:2] / key
        try:
            written = (folder / "made.json").read_bytes()
            digests = (folder / "digests").read_text()
            content = (folder / name).read_bytes()
        except (OSError, UnicodeDecodeError):
            return None
        if digests != f"{sha256_of(content)} {sha256_of(written)}":
            return None
        made: dict[str, Any] = json.loads(written)
        return folder / name, made

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold off every other process that builds `name`. Raises `CompressError` when the folder cannot be written."""
        folder = self.root / "locks"
        lock = FileLock(folder / f"{sha256_of(name.encode())[:16]}.lock")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=DEADLINE_S)
        except OSError as error:
            raise CompressError(f"{self.root}: cannot store a built file there ({error}); {_REMEDY}") from error
        try:
            yield
        finally:
            lock.release()

    def add(self, key: str, name: str, content: bytes, made: dict[str, Any]) -> tuple[Path, dict[str, Any]]:
        """Store `content`, and return its path and how it was made; the entry appears at once, by a rename.

        When another process has stored the entry meanwhile, theirs stays and is returned. Raises `CompressError` when
        the folder cannot be written.
        """
        folder = self.root / key[:2] / key
        written = json.dumps({**made, "sha256": sha256_of(content)}, indent=1).encode()
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="new-", dir=folder.parent, ignore_cleanup_errors=True) as fresh:
                (Path(fresh) / name).write_bytes(content)
                (Path(fresh) / "made.json").write_bytes(written)
                (Path(fresh) / "digests").write_text(f"{sha256_of(content)} {sha256_of(written)}")
                if self.find(key, name) is None:
                    shutil.rmtree(folder, ignore_errors=True)
                    with contextlib.suppress(OSError):  # another process was faster
                        os.rename(fresh, folder)
            found = self.find(key, name)
            if found is None:
                raise OSError(f"{folder} was written and cannot be read back")
        except OSError as error:
            raise CompressError(f"{self.root}: cannot store a built file there ({error}); {_REMEDY}") from error
        return found
