"""Checks of the software: Python, the packages, pytest's plugins, and what the repository's settings say."""

from __future__ import annotations

import os
import platform
import shlex
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, entry_points, metadata, version
from pathlib import Path
from typing import TYPE_CHECKING

from compress.cli.doctor.finding import Finding
from compress.errors import CompressError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

DISTRIBUTION = "compress-bench"
PLUGINS = {"benchmark": "pytest-benchmark", DISTRIBUTION: DISTRIBUTION}
"""Entry point in the group ``pytest11`` -> the distribution that brings it."""

SWITCHES = ("--benchmark-disable", "--benchmark-skip", "no:benchmark", f"no:{DISTRIBUTION}")
"""Options that switch the gate off when they are given to every run."""


def check_environment(folder: Path) -> Iterator[Finding]:
    """Yield what there is to say of the software here and of the settings of the repository in `folder`."""
    try:
        declared = metadata(DISTRIBUTION)
    except PackageNotFoundError:
        said = f"{DISTRIBUTION} is not installed: its pytest plugin is not found, and no version is known"
        yield Finding("wrong", "package", said, f"pip install {DISTRIBUTION}, or pip install -e . in its repository")
    else:
        yield Finding("ok", "package", f"{DISTRIBUTION} {declared['Version']}")
        yield check_python(platform.python_version(), declared["Requires-Python"] or "")
        yield from check_packages(declared.get_all("Requires-Dist") or [])
    yield from check_plugins()
    yield check_options(folder, os.environ)
    yield from check_settings(folder)


def check_python(running: str, supported: str) -> Finding:
    """Return whether the version `running` is in the range `supported`, such as ``>=3.11,<3.14``."""
    from packaging.specifiers import SpecifierSet

    if SpecifierSet(supported).contains(running, prereleases=True):
        return Finding("ok", "python", f"{running}, supported {supported}")
    return Finding("wrong", "python", f"{running} is not supported", f"use a Python {supported}")


def check_packages(declared: Sequence[str]) -> Iterator[Finding]:
    """Yield one finding for what is always needed, and one for each extra; `declared` as in ``Requires-Dist``.

    An extra that is not there, or not whole, is no fault: a repository installs those whose recipes it uses. A version
    outside the declared range is.
    """
    from packaging.requirements import Requirement

    groups: dict[str, list[Requirement]] = {}
    for requirement in map(Requirement, declared):
        extra = str(requirement.marker).partition("extra == ")[2].strip("\"'") if requirement.marker else ""
        groups.setdefault(extra, []).append(requirement)
    groups.pop("all", None)
    for extra, requirements in sorted(groups.items()):
        there: dict[str, str] = {}
        for one in requirements:
            try:
                there[one.name] = version(one.name)
            except PackageNotFoundError:
                continue
        yield _packages(extra, requirements, there)


def _packages(extra: str, requirements: Sequence[Requirement], there: Mapping[str, str]) -> Finding:
    check = f"extra {extra}" if extra else "packages"
    install = f"pip install --upgrade '{DISTRIBUTION}{f'[{extra}]' if extra else ''}'"
    unfit = [one for one in requirements if one.name in there and not one.specifier.contains(there[one.name], True)]
    if unfit:
        said = ", ".join(f"{one.name} {there[one.name]} is not {one.specifier}" for one in unfit)
        return Finding("wrong", check, said, install)
    absent = [one.name for one in requirements if one.name not in there]
    if absent and not extra:
        return Finding("wrong", check, f"not installed: {', '.join(absent)}", install)
    if len(absent) == len(requirements):
        return Finding("ok", check, "not installed")
    said = ", ".join(f"{name} {found}" for name, found in there.items())
    return Finding("ok", check, f"{said}; not installed: {', '.join(absent)}" if absent else said)


def check_plugins() -> Iterator[Finding]:
    """Yield whether pytest will find this package's plugin and pytest-benchmark's, and can import ours."""
    found = {one.name: one for one in entry_points(group="pytest11")}
    for name, distribution in PLUGINS.items():
        check = f"plugin {name}"
        if name not in found:
            yield Finding("wrong", check, "pytest does not find it", f"pip install --force-reinstall {distribution}")
            continue
        try:
            found[name].load()
        except Exception as error:  # whatever an import raises is the finding
            said = f"cannot be imported: {type(error).__name__}: {error}"
            yield Finding("wrong", check, said, f"pip install --force-reinstall {distribution}")
        else:
            yield Finding("ok", check, f"registered as {found[name].value}")


def check_options(folder: Path, environment: Mapping[str, str]) -> Finding:
    """Return whether options that every run gets, of ``pyproject.toml`` or the environment, switch the gate off."""
    if environment.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD"):
        said = "PYTEST_DISABLE_PLUGIN_AUTOLOAD keeps pytest from loading plugins"
        return Finding(
            "wrong", "options", said, "unset it, or add `-p pytest_benchmark.plugin -p compress.pytest_plugin`"
        )
    given = {"PYTEST_ADDOPTS": environment.get("PYTEST_ADDOPTS", "")}
    try:
        document = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        options = document["tool"]["pytest"]["ini_options"]["addopts"]
        given["addopts in pyproject.toml"] = options if isinstance(options, str) else shlex.join(options)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no such options; a file that cannot be read is told with the settings
    for where, text in given.items():
        for word in text.split():
            if any(switch in word for switch in SWITCHES):
                return Finding("wrong", "options", f"{where} has {word}: nothing is measured", f"take {word} out")
    return Finding("ok", "options", "nothing switches benchmarks off in every run")


def check_settings(folder: Path) -> Iterator[Finding]:
    """Yield whether ``[tool.compress]`` in the repository's ``pyproject.toml`` is understood, and its golden file."""
    from compress.settings import load_settings

    path = folder / "pyproject.toml"
    try:
        settings = load_settings(folder)
    except CompressError as error:
        yield Finding("wrong", "settings", str(error), f"mend {path}")
        return
    changed = [
        f"{one.name.replace('_', '-')} = {getattr(settings.policy, one.name)!r}"
        for one in fields(settings.policy)
        if getattr(settings.policy, one.name) != one.default
    ]
    said = ", ".join(changed) or "the limits' defaults"
    if settings.allow:
        said += f"; {', '.join(sorted(settings.allow))} allowed"
    if settings.cells:
        said += f"; others for {', '.join(pattern for pattern, _ in settings.cells)}"
    yield Finding("ok", "settings", said)
    if settings.golden is not None:
        yield check_golden(settings.golden)


def check_golden(path: Path) -> Finding:
    """Return whether the golden file at `path` can be read; until it exists nothing is compared with it."""
    from compress.claims.golden import Golden

    if not path.exists():
        remedy = f"compress-bench accept RUN --reason ... --golden {path}"
        return Finding("warn", "golden file", f"{path}: not there", remedy)
    try:
        golden = Golden.load(path)
    except CompressError as error:
        said, _, remedy = str(error).rpartition("; ")
        return Finding("wrong", "golden file", said, remedy)
    return Finding("ok", "golden file", f"{path}: {len(golden.cells)} cells")
