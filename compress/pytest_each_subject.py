"""The fixture `subject`: a bench that takes it is called for each subject that a ``conftest.py`` hands over."""

from __future__ import annotations

import pytest

from compress.errors import CompressError

NAME = "subject"
_NAMES = pytest.StashKey[list[str]]()


@pytest.fixture
def subject() -> str:
    """Return a subject's name: a bench is called for each that a ``conftest.py`` hands over, unless it names its own.

    Its own are ``@pytest.mark.parametrize("subject", ["lenet_5"])``, or a fixture of this name. The subjects of a
    ``claims.toml`` are not among them, as which of those files are collected depends on what pytest is given.
    """
    raise CompressError("`subject` is a bench's argument and cannot be asked for by name")


def parametrize(metafunc: pytest.Metafunc, plugin: object) -> None:
    """Call a bench for each subject when it takes this module's fixture. Raises `CollectError` when there is none.

    `plugin` is whose own answer to ``pytest_compress_subjects`` does not count.
    """
    if NAME not in metafunc.fixturenames or _is_given(metafunc):
        return
    found = metafunc.config.stash.get(_NAMES, None)
    if found is None:
        found = metafunc.config.stash[_NAMES] = _handed_over(metafunc.config, plugin)
    if not found:
        raise pytest.Collector.CollectError(
            f"{metafunc.definition.nodeid} takes `subject`, and no conftest.py hands one over: return a list of "
            "compress.subject.Subject from its hook pytest_compress_subjects"
        )
    metafunc.parametrize(NAME, found)


def _is_given(metafunc: pytest.Metafunc) -> bool:
    """Return whether a bench names its subjects itself, or another fixture of this name is nearer."""
    named = [mark.args[0] for mark in metafunc.definition.iter_markers("parametrize") if mark.args]
    if any(NAME in ([part.strip() for part in one.split(",")] if isinstance(one, str) else one) for one in named):
        return True
    nearest = metafunc._arg2fixturedefs.get(NAME, ())[-1:]
    return not nearest or nearest[0].func.__module__ != __name__


def _handed_over(config: pytest.Config, plugin: object) -> list[str]:
    hook = config.pluginmanager.subset_hook_caller("pytest_compress_subjects", [plugin])
    try:
        answers = hook(config=config, scale=config.getoption("scale"))
    except CompressError as error:
        raise pytest.Collector.CollectError(str(error)) from None
    return [one.name for answer in answers for one in answer]
