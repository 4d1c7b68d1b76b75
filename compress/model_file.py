"""A model file that somebody hands over: which format it is, and a digest of its content. Nothing in it is run."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from compress.errors import ModelFileError

Format = Literal["keras", "h5", "saved_model", "tflite", "onnx"]

SUFFIXES: dict[str, Format] = {".keras": "keras", ".h5": "h5", ".tflite": "tflite", ".onnx": "onnx"}
"""File suffix -> format; a folder with a ``saved_model.pb`` is a SavedModel."""

RUNTIMES: dict[Format, tuple[str, ...]] = {
    "keras": ("litert", "onnx", "keras"),
    "h5": ("litert", "onnx", "keras"),
    "saved_model": ("litert", "onnx"),
    "tflite": ("litert",),
    "onnx": ("onnx",),
}
"""Format -> runtimes that a compressed file can be written for, the one it is meant for first."""

KERAS_FORMATS = frozenset({"keras", "h5"})
"""Formats that are loaded as a Keras model, which every step works on; of the others only files are written."""

_KNOWN = f"{', '.join(SUFFIXES)}, or a SavedModel folder"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class ModelFile:
    """A model as a file, or, of format ``saved_model``, as a folder."""

    path: Path
    format: Format

    def read(self) -> bytes:
        """Return the file's content. Raises `ModelFileError` when it cannot be read."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ModelFileError(f"cannot read model file {self.path}: {error.strerror}; check the path") from error

    def digest(self) -> str:
        """Return the hexadecimal SHA-256 of the content; of a folder, of all its files and their names.

        Raises `ModelFileError` when it cannot be read.
        """
        found = hashlib.sha256()
        folder = self.format == "saved_model"
        files = sorted(path for path in self.path.rglob("*") if path.is_file()) if folder else [self.path]
        try:
            for path in files:
                if folder:
                    found.update(f"{path.relative_to(self.path).as_posix()}\0{path.stat().st_size}\0".encode())
                with path.open("rb") as file:
                    while chunk := file.read(_CHUNK):
                        found.update(chunk)
        except OSError as error:
            raise ModelFileError(f"cannot read model file {path}: {error.strerror}; check the path") from error
        return found.hexdigest()


def open_model_file(path: Path | str) -> ModelFile:
    """Return the model file at `path` after a look at its first bytes, which agree with its suffix.

    Raises `ModelFileError` that names the file and the remedy when it is missing, empty, of an unknown kind, or begins
    like something else. `compress.own.signature.read_signature` reads the rest of it.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / "saved_model.pb").is_file():
            raise ModelFileError(f"{path} is a folder without a saved_model.pb; a model is {_KNOWN}")
        return ModelFile(path, "saved_model")
    if not path.is_file():
        raise ModelFileError(f"no model file {path}; check the path")
    if path.suffix.lower() not in SUFFIXES:
        raise ModelFileError(f"{path}: the kind of a model is told by its suffix, {_KNOWN}; rename or export it")
    file = ModelFile(path, SUFFIXES[path.suffix.lower()])
    try:
        with path.open("rb") as opened:
            begins = opened.read(8)
    except OSError as error:
        raise ModelFileError(f"cannot read model file {path}: {error.strerror}; check the path") from error
    if problem := _problem(file, begins):
        raise ModelFileError(f"{path} is {problem}")
    return file


def _problem(file: ModelFile, begins: bytes) -> str:
    """Return what is wrong with a file that `begins` so, and what to do; nothing when it begins as it should."""
    if not begins:
        return "empty; export the model again"
    if begins.startswith(b"version "):  # of the Git LFS pointer specification
        return "a Git LFS pointer and not the model itself; run `git lfs pull`"
    if file.format == "keras" and not zipfile.is_zipfile(file.path):
        return "not a whole .keras archive; save the model again with model.save('x.keras')"
    if file.format == "h5" and begins != _HDF5:
        return "not an HDF5 file; save the model again with model.save('x.h5')"
    if file.format == "tflite" and begins[4:8] != b"TFL3":
        return "not a LiteRT file, which has TFL3 at byte 4; convert the model again"
    if file.format == "onnx" and (begins == _HDF5 or begins[:2] == b"PK" or begins[4:8] == b"TFL3"):
        return "not an ONNX file, whatever its suffix says; rename it, or export the model again"
    return ""
