"""Answers that model files gave, kept beside the built files: the same file gives the same again.

The key of answers is a digest of the file, the samples, how they are decoded, the machine and the libraries that ran
it, and the source of what runs it. So a run measures anew whatever can have changed: times, loading and memory always,
answers when any of these did.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.artifact import Artifact, sha256_of
from compress.decoding import Decoding
from compress.fingerprint import MACHINE, fingerprint
from compress.store import Store

NAME = "outputs.npy"


class RememberedAnswers:
    """A folder of answers by what gave them. Answers by example: ``(3000, 10)`` float32, or records."""

    def __init__(self, folder: Path) -> None:
        self._store = Store(folder)

    def find(self, artifact: Artifact, samples: str, decoding: Decoding | None) -> NDArray[Any] | None:
        """Return what the file answered to the samples of that digest, or None; damaged answers count as absent."""
        found = self._store.find(_key(artifact, samples, decoding), NAME)
        return None if found is None else np.load(found[0], allow_pickle=False)

    def add(self, artifact: Artifact, samples: str, decoding: Decoding | None, answers: NDArray[Any]) -> None:
        """Keep what the file answered. Raises `CompressError` when the folder cannot be written."""
        content = BytesIO()
        np.save(content, answers, allow_pickle=False)
        made = {"subject": artifact.subject, "recipe": artifact.recipe, "file": artifact.sha256}
        self._store.add(_key(artifact, samples, decoding), NAME, content.getvalue(), made)


def _key(artifact: Artifact, samples: str, decoding: Decoding | None) -> str:
    given_by = {
        "file": artifact.sha256,
        "runtime": artifact.runtime,
        "samples": samples,
        "decoding": asdict(decoding) if decoding else None,
        **_surroundings(),
    }
    return sha256_of(json.dumps(given_by, sort_keys=True).encode())


@cache
def _surroundings() -> dict[str, Any]:
    """Return the machine, the libraries and the source that answers may depend on."""
    here = Path(__file__).parents[1]
    files = [*sorted((here / "runtime").glob("*.py")), here / "decoding.py", here / "records.py"]
    found = fingerprint()
    return {
        **{name: found[name] for name in (*MACHINE, "libraries")},
        "source": sha256_of(b"\0".join(path.read_bytes() for path in files)),
    }
