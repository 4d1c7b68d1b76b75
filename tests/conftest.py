"""Settings of every test: what a machine is slow at fails nothing. And a suite that needs no framework."""

import os

import pytest
from hypothesis import settings

os.environ.pop("GITHUB_STEP_SUMMARY", None)  # runs inside of tests are not a job's to sum up

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="module")
def tiny_steps(tmp_path_factory):
    """Put the steps of `tests.tiny_subject` into the registry, here and in builders; return the log they write."""
    from compress.recipe import STEPS, step_class
    from tests.tiny_subject import TINY_STEPS

    log = tmp_path_factory.mktemp("tiny") / "log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TINY_STEPS", "1")
        patch.setenv("TINY_LOG", str(log))
        for name, target in TINY_STEPS.items():
            patch.setitem(STEPS, name, target)
        step_class.cache_clear()
        yield log
    step_class.cache_clear()
