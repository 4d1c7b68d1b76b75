"""What a converter refuses is kept with its words, and asked for again when anything that it depends on changes."""

import contextlib
import dataclasses
from pathlib import Path

import pytest

from compress import build
from compress.build import REFUSAL, Builder, find_artifact, find_refusal
from compress.errors import CompressError, ConversionError
from compress.recipe import Recipe
from compress.store import Store
from tests.tiny_subject import subject

pytestmark = pytest.mark.usefixtures("tiny_steps")

REFUSED = "deadly(convert)@onnx"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


@pytest.fixture
def conversions(tiny_steps):
    """Return how often `REFUSED` was tried since the test began."""

    def count():
        return tiny_steps.read_text().splitlines().count("deadly convert") if tiny_steps.exists() else 0

    before = count()
    return lambda: count() - before


@pytest.fixture
def here(monkeypatch):
    """Have builders build in this process: no process to start for each."""
    monkeypatch.setattr(Builder, "_build", lambda self, one, recipe: build.build_artifact(self.store, one, str(recipe)))


def refusal_of(store, one=None):
    """Return what a builder of its own process says of `REFUSED`."""
    with contextlib.closing(Builder(store)) as builder, pytest.raises(ConversionError) as refused:
        builder.artifact(one or subject(), Recipe.parse(REFUSED))
    return str(refused.value)


def test_a_converters_refusal_is_kept_and_said_again_without_asking_it(store, conversions):
    first = refusal_of(store)
    assert first == "int16x8 cannot be exported: nö kernel\nthe converter's last lines:\n  ..."
    assert refusal_of(store) == first == str(find_refusal(store, subject(), Recipe.parse(REFUSED)))
    assert conversions() == 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("change", ["subject", "_source_digest", "library_versions"])
def test_a_kept_refusal_is_dropped_when_the_key_changes(store, conversions, monkeypatch, change):
    refusal_of(store)
    one, changed = subject(), {"_source_digest": "an edited step", "library_versions": {"tensorflow": "99.0"}}
    if change == "subject":
        one = dataclasses.replace(one, name="other")
    else:
        monkeypatch.setattr(build, change, lambda *_: changed[change])
    assert find_refusal(store, one, Recipe.parse(REFUSED)) is None
    refusal_of(store, one)
    assert conversions() == 2


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", [REFUSAL, "made.json", "digests"])
def test_a_damaged_refusal_is_asked_for_again(store, conversions, name):
    said = refusal_of(store)
    (victim,) = store.root.rglob(name)
    victim.write_bytes(victim.read_bytes()[:-1])
    assert find_refusal(store, subject(), Recipe.parse(REFUSED)) is None
    assert refusal_of(store) == said == str(find_refusal(store, subject(), Recipe.parse(REFUSED)))
    assert conversions() == 2


@pytest.mark.usefixtures("here")
def test_a_converter_is_asked_again_by_who_wants_to_read_all_it_prints(store, conversions, monkeypatch):
    refusal_of(store)
    monkeypatch.setenv("COMPRESS_VERBOSE", "1")
    refusal_of(store)
    assert conversions() == 2


def test_a_file_that_is_built_after_all_takes_the_place_of_the_refusal(store):
    recipe = Recipe.parse("rounded@onnx")
    store.add(build._file_key(subject(), recipe), REFUSAL, b"not today", {})
    assert str(find_refusal(store, subject(), recipe)) == "not today"
    build.build_artifact(store, subject(), str(recipe))
    assert find_artifact(store, subject(), recipe).raw_bytes > 0
    assert find_refusal(store, subject(), recipe) is None


@pytest.mark.parametrize("how", ["refuse", "err", "exit"])
def test_only_what_a_converter_said_is_kept(store, how):
    recipe = Recipe.parse(f"deadly({how})@onnx")
    with contextlib.closing(Builder(store)) as builder, pytest.raises((CompressError, ZeroDivisionError)):
        builder.artifact(subject(), recipe)
    assert find_refusal(store, subject(), recipe) is None


@pytest.mark.usefixtures("here")
def test_a_refusal_of_one_recipe_is_none_of_another(store):
    refusal_of(store)
    assert find_refusal(store, subject(), Recipe.parse("deadly(refuse)@onnx")) is None


def test_a_refusal_that_cannot_be_stored_is_still_what_is_said(store, monkeypatch):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(ConversionError, match="nö kernel"):
        build.build_artifact(store, subject(), REFUSED)
