"""The machine and the software a run was made with: what decides whether two times may be compared."""

from __future__ import annotations

import os
import platform
import zlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = (
    "ai-edge-litert",
    "ai-edge-quantizer",
    "keras",
    "numpy",
    "onnx",
    "onnxruntime",
    "tensorflow",
    "tensorflow-model-optimization",
    "tf-keras",
    "tf2onnx",
)
"""Distributions that shape an artifact's bytes or run it."""

INSTRUCTION_SETS = (
    "sse4_2",
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx_vnni",
    "amx_int8",
    "asimd",
    "asimddp",
    "sve",
)


MACHINE = ("cpu", "isa", "cores", "machine", "system")
"""Entries of a fingerprint without which a time belongs to another machine."""


def library_versions() -> dict[str, str]:
    """Return the installed version of each of `LIBRARIES`; those that are not installed are left out."""
    found = {name: _version(name) for name in LIBRARIES}
    return {name: installed for name, installed in found.items() if installed is not None}


@cache
def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def fingerprint() -> dict[str, object]:
    """Return CPU model, instruction sets that matter to inference, cores, system, Python, zlib and library versions."""
    model, flags = platform.processor() or platform.machine(), set[str]()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            if key.strip() in ("flags", "Features"):
                flags.update(value.split())
    except OSError:
        pass  # no /proc here: the model's name stands alone
    return {
        "cpu": model,
        "isa": [name for name in INSTRUCTION_SETS if name in flags],
        "cores": os.cpu_count() or 0,
        "machine": platform.machine(),
        "system": platform.system(),
        "python": platform.python_version(),
        "zlib": zlib.ZLIB_RUNTIME_VERSION,
        "libraries": library_versions(),
    }


def differences(old: dict[str, object], new: dict[str, object]) -> list[str]:
    """Return one sentence for each entry in which two fingerprints differ, such as ``cpu: A -> B``."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += [f"{key}: {line}" for line in differences(before, after)]
        elif before != after:
            found.append(f"{key}: {before} -> {after}")
    return found
