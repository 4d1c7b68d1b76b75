"""The settings of a repository: ``[tool.compress]`` in its ``pyproject.toml``, every one of them with a default."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from compress.claims.completeness import KINDS
from compress.claims.policy import Policy
from compress.errors import ClaimError

_POLICY = {one.name.replace("_", "-"): one.name for one in fields(Policy)}


@dataclass(frozen=True)
class Settings:
    """What a repository allows its runs: the policy of all cells, of some by name, gaps that pass, the golden file.

    ``cells`` are pairs of a pattern such as ``lenet_5: *@onnx`` and the policy fields it changes; the last that matches
    a cell's name wins. `golden` is a file that need not exist yet.
    """

    policy: Policy = field(default_factory=Policy)
    cells: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    allow: frozenset[str] = frozenset()
    golden: Path | None = None

    def policy_of(self, cell: str) -> Policy:
        """Return the policy of the cell called `cell`."""
        policy = self.policy
        for pattern, changed in self.cells:
            if fnmatchcase(cell, pattern):
                policy = replace(policy, **changed)
        return policy


def load_settings(folder: Path) -> Settings:
    """Return the settings in ``folder/pyproject.toml``; the defaults when there is no such file or table.

    Raises `ClaimError` that names the file and the key for a setting that does not exist or has no meaning.
    """
    path = folder / "pyproject.toml"
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError) as error:
        raise ClaimError(f"{path}: cannot be read ({error}); mend the file") from error
    table = document.get("tool", {}).get("compress", {})
    where = f"{path}: [tool.compress]"
    if not isinstance(table, dict):
        raise ClaimError(f"{where} must be a table")
    table = dict(table)
    allow, golden, cells = table.pop("allow", []), table.pop("golden", None), table.pop("cell", [])
    if golden is not None and not isinstance(golden, str):
        raise ClaimError(f"{where}: golden must be a file's path, got {golden!r}")
    if not isinstance(cells, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in cells
    ):
        raise ClaimError(f'{where}: each [[tool.compress.cell]] needs a name, such as name = "lenet_5: *"')
    policy = _policy(Policy(), table, where)
    patterns = []
    for one in cells:
        changed = {key: value for key, value in one.items() if key != "name"}
        here = f"{path}: [[tool.compress.cell]] {one['name']!r}"
        _policy(policy, changed, here)
        patterns.append((one["name"], {_POLICY[key]: value for key, value in changed.items()}))
    return Settings(policy, tuple(patterns), allowed_kinds(allow, where), folder / golden if golden else None)


def allowed_kinds(allow: object, where: str) -> frozenset[str]:
    """Return the kinds of gaps that pass. Raises `ClaimError` that begins with `where` for one that does not exist."""
    if not isinstance(allow, list | tuple) or not all(kind in KINDS for kind in allow):
        raise ClaimError(f"{where}: allow must be a list of {', '.join(KINDS)}, got {allow!r}")
    return frozenset(allow)


def _policy(policy: Policy, changed: Mapping[str, Any], where: str) -> Policy:
    if unknown := sorted(changed.keys() - _POLICY.keys()):
        raise ClaimError(
            f"{where}: no setting {', '.join(unknown)}; there are allow, golden, cell, {', '.join(_POLICY)}"
        )
    try:
        return replace(policy, **{_POLICY[key]: value for key, value in changed.items()})
    except ClaimError as error:
        raise ClaimError(f"{where}: {str(error).replace('_', '-')}") from error
