"""A team's own claims, as data: ``claims.toml`` names models and what must stay true of them compressed.

The file's form is `claims.schema.json` beside this module (JSON Schema 2020-12). tomllib forgets where it read what, so
that lines are found again by their headers and keys.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from compress.claims.bound import Bound
from compress.errors import ClaimError

FILE_NAME = "claims.toml"
DATA_OPTIONS = ("scaling", "image_size", "samples", "seed")
_WORDS = {
    "object": "a table",
    "array": "[[tables]]",
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
}
_HEADER = re.compile(r"\s*(\[\[?)\s*(.+?)\s*\]\]?\s*(?:#.*)?$")


@dataclass(frozen=True)
class OwnSubject:
    """A model of one's own as the file has it: paths are absolute, `metric` is empty where the file leaves it open.

    ``options`` are those of the data that the file gives: scaling, image_size, samples, seed.
    """

    name: str
    model: Path
    data: str
    metric: str = ""
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class OwnClaim:
    """A claim as the file has it, and the line that it begins on, from 1."""

    subject: str
    recipe: str
    metric: str
    bound: Bound
    line: int

    @property
    def name(self) -> str:
        """The test's name, ``mobilenet: int8: size_ratio``; a second limit on the same is part of the same claim."""
        return f"{self.subject}: {self.recipe}: {self.metric}"


@dataclass(frozen=True)
class ClaimsFile:
    """What a ``claims.toml`` holds."""

    path: Path
    subjects: dict[str, OwnSubject]
    claims: tuple[OwnClaim, ...]


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of the file."""
    found: dict[str, Any] = json.loads((files("compress.claims") / "claims.schema.json").read_text(encoding="utf-8"))
    return found


def load_claims(path: Path) -> ClaimsFile:
    """Return what the file at `path` claims. Models and data are named, not opened; recipes are not read.

    Raises `ClaimError` that names the file, the line, what is wrong there and what is allowed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClaimError(f"{path}: cannot be read ({error})") from error
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ClaimError(f"{path}: is no TOML: {error}") from error
    _check(path, text, document)
    subjects = {
        name: OwnSubject(
            name,
            path.parent / one["model"],
            _data(path.parent, one["data"]),
            one.get("metric", ""),
            {key: one[key] for key in DATA_OPTIONS if key in one},
        )
        for name, one in document["subject"].items()
    }
    claims: dict[str, OwnClaim] = {}
    for index, one in enumerate(document["claim"]):
        line = line_of(text, ("claim", index))
        if one["subject"] not in subjects:
            where = line_of(text, ("claim", index, "subject"))
            raise ClaimError(f"{path}:{where}: no subject {one['subject']!r}; there are {', '.join(subjects)}")
        low, high = one.get("at_least", -math.inf), one.get("at_most", math.inf)
        try:
            claim = OwnClaim(one["subject"], one["recipe"], one["metric"], Bound(low, high, one["why"]), line)
        except ClaimError as error:
            raise ClaimError(f"{path}:{line}: {error}") from error
        if (other := claims.setdefault(claim.name, claim)) is not claim:
            raise ClaimError(f"{path}:{line}: {claim.name!r} is claimed on line {other.line} already; make them one")
    return ClaimsFile(path, subjects, tuple(claims.values()))


def _data(folder: Path, text: str) -> str:
    """Return a path as an absolute one; ``module:function`` is no path."""
    is_function = re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", text) and not (folder / text).exists()
    return text if is_function else str(folder / text)


def _check(path: Path, text: str, document: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(schema()).iter_errors(document))
    if error is None:
        return
    place = list(error.absolute_path)
    unknown = _unknown(error)
    where = line_of(text, [*place, *unknown[:1]])
    raise ClaimError(f"{path}:{where}: {_said(error, unknown)}")


def _unknown(error: Any) -> list[str]:
    if error.validator != "additionalProperties":
        return []
    allowed = error.schema.get("properties", {})
    patterns = error.schema.get("patternProperties", {})
    return [key for key in error.instance if key not in allowed and not any(re.search(one, key) for one in patterns)]


def _said(error: Any, unknown: list[str]) -> str:
    """Return what is wrong, in the words of the file."""
    name = ".".join(str(part) for part in error.absolute_path if isinstance(part, str)) or "the file"
    if unknown:
        known = ", ".join(error.schema.get("properties", {})) or "names of letters, digits, '_', '.' and '-'"
        return f"{name} has no {unknown[0]!r}; it has {known}"
    if error.validator == "required":
        missing = [key for key in error.validator_value if key not in error.instance]
        return f"{name} needs {' and '.join(missing)}"
    if error.validator == "anyOf":
        return f"{name} needs a limit: at_least, at_most, or both"
    if error.validator == "enum":
        return f"{name} must be one of {', '.join(error.validator_value)}, got {error.instance!r}"
    if error.validator == "type":
        words = {
            "object": "a table",
            "array": "[[tables]]",
            "string": "a text",
            "number": "a number",
            "integer": "a whole number",
        }
        return f"{name} must be {words[error.validator_value]}, got {error.instance!r}"
    if error.validator == "minimum":
        return f"{name} must be at least {error.validator_value}, got {error.instance!r}"
    return f"{name} must not be empty"


def line_of(text: str, place: Sequence[str | int]) -> int:
    """Return the line, from 1, of a place such as ``("claim", 2, "metric")``, or of what holds it.

    Raises nothing: a place that cannot be found (an inline table, a dotted key) gives the nearest line before it.
    """
    header, line, first, seen, inside = list(place[:2]), 1, 1, -1, not place or len(place) == 1
    key = str(place[-1]) if place and isinstance(place[-1], str) else ""
    for line, content in enumerate(text.splitlines(), 1):
        if match := _HEADER.match(content):
            brackets, name = match.groups()
            parts = [part.strip().strip("\"'") for part in name.split(".", 1)]
            if brackets == "[[":
                seen += parts == header[:1]
                inside = parts == header[:1] and (len(header) < 2 or header[1] == seen)
            else:
                inside = parts == header or parts == header[:1]
            if inside:
                first = line
                if len(place) <= len(parts) or (brackets == "[[" and len(place) == 2):
                    return line
        elif inside and key and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*[=.]", content):
            return line
    return first
