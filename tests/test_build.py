"""Artifacts are built once, in a process of their own, and a changed routine never meets a stale file."""

import dataclasses
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress import build
from compress.build import Builder, Store, build_all, find_artifact
from compress.errors import CompressError, RecipeError, RuntimeCrash
from compress.measure.size import gzip_bytes
from compress.recipe import Recipe
from compress.subject import Training
from tests.tiny_subject import subject

pytestmark = pytest.mark.usefixtures("tiny_steps")

KEY = "ab" + 62 * "0"
CONTENT = b"a model file"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


@pytest.fixture
def builder(store):
    builder = Builder(store)
    yield builder
    builder.close()


def add_content(root: Path, content: bytes) -> None:
    Store(root).add(KEY, "model.onnx", content, {"compress_time_s": 1.0})


def test_what_is_stored_is_found(store):
    path, made = store.add(KEY, "model.onnx", CONTENT, {"compress_time_s": 1.5})
    assert path.read_bytes() == CONTENT
    assert made["compress_time_s"] == 1.5
    assert store.find(KEY, "model.onnx") == (path, made)


def test_what_was_never_stored_is_not_found(store):
    store.add(KEY, "model.onnx", CONTENT, {})
    assert store.find(KEY, "model.tflite") is None
    assert store.find("cd" + KEY[2:], "model.onnx") is None


@settings(max_examples=30)
@given(
    st.sampled_from(["model.onnx", "made.json", "digests"]),
    st.sampled_from(["flip", "cut", "grow", "delete"]),
    st.data(),
)
def test_a_damaged_entry_is_never_returned_and_is_replaced(tmp_path_factory, name, damage, data):
    store = Store(tmp_path_factory.mktemp("damaged"))
    path, _ = store.add(KEY, "model.onnx", CONTENT, {"compress_time_s": 1.5})
    victim = path.with_name(name)
    content = victim.read_bytes()
    at = data.draw(st.integers(0, len(content) - 1))
    if damage == "delete":
        victim.unlink()
    else:
        flipped = content[:at] + bytes([content[at] ^ data.draw(st.integers(1, 255))]) + content[at + 1 :]
        victim.write_bytes({"flip": flipped, "cut": content[:at], "grow": content + b" "}[damage])
    assert store.find(KEY, "model.onnx") is None
    store.add(KEY, "model.onnx", CONTENT, {"compress_time_s": 2.5})
    assert store.find(KEY, "model.onnx")[1]["compress_time_s"] == 2.5
    shutil.rmtree(store.root)


def test_an_entry_that_another_process_stored_first_stays(store):
    first = store.add(KEY, "model.onnx", CONTENT, {"compress_time_s": 1.0})
    assert store.add(KEY, "model.onnx", b"other bytes", {"compress_time_s": 2.0}) == first
    assert first[0].read_bytes() == CONTENT


def test_processes_that_store_one_entry_at_once_leave_one_whole_entry(store):
    spawn = multiprocessing.get_context("fork")
    writers = [spawn.Process(target=add_content, args=(store.root, bytes([index]) * 1000)) for index in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    path, _ = store.find(KEY, "model.onnx")
    assert len(set(path.read_bytes())) == 1
    assert [entry.name for entry in path.parents[1].iterdir()] == [KEY]
    assert all(writer.exitcode == 0 for writer in writers)


@pytest.mark.parametrize("call", ["write_bytes", "write_text", "mkdir"])
def test_a_store_that_cannot_be_written_is_one_error_and_no_entry(store, monkeypatch, call):
    def full(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, call, full)
    with pytest.raises(CompressError, match=r"cannot store a built file there \(.*No space left.*COMPRESS_CACHE_DIR"):
        store.add(KEY, "model.onnx", CONTENT, {})
    monkeypatch.undo()
    assert store.find(KEY, "model.onnx") is None
    assert [path for path in store.root.rglob("*") if path.is_file()] == []


def test_an_artifact_is_built_once_and_found_afterwards(builder, tiny_steps):
    recipe = Recipe.parse("rounded(0.5)@onnx")
    assert find_artifact(builder.store, subject(), recipe) is None
    built = builder.artifact(subject(), recipe)
    again = builder.artifact(subject(), recipe)
    assert again == built == find_artifact(builder.store, subject(), recipe)
    assert tiny_steps.read_text().splitlines().count("rounded 0.5") == 1
    assert (built.subject, built.recipe, built.runtime, built.format) == ("tiny", "rounded(0.5)@onnx", "onnx", "onnx")
    assert built.raw_bytes == len(built.path.read_bytes())
    assert built.compress_time_s > 0
    assert built.made_with["numpy"] == np.__version__


def test_an_artifact_knows_its_gzipped_size_when_built_and_when_found(builder):
    for _ in range(2):
        artifact = builder.artifact(subject(), Recipe.parse("rounded@onnx"))
        assert artifact.gzip_bytes == gzip_bytes(artifact.path.read_bytes()) > 100


def test_an_artifact_that_was_damaged_is_built_again(builder, tiny_steps):
    recipe = Recipe.parse("rounded(0.125)@onnx")
    built = builder.artifact(subject(), recipe)
    whole = built.path.read_bytes()
    built.path.write_bytes(whole[:-7])
    assert builder.artifact(subject(), recipe).path.read_bytes() == whole
    assert tiny_steps.read_text().splitlines().count("rounded 0.125") == 2


def test_what_another_process_built_meanwhile_is_not_built_again(store, monkeypatch):
    path, _ = store.add(KEY, "model.onnx", CONTENT, {})
    found = [None, path]  # not there when asked for, and there when the lock was taken
    monkeypatch.setattr(build, "find_artifact", lambda *_: found.pop(0))
    monkeypatch.setattr(Builder, "_build", lambda *_: pytest.fail("built again"))
    assert Builder(store).artifact(subject(), Recipe.parse("float32@onnx")) == path


def test_a_lock_that_cannot_be_taken_is_one_error(store):
    store.root.mkdir(parents=True, exist_ok=True)
    (store.root / "locks").write_text("in the way")
    with pytest.raises(CompressError, match="COMPRESS_CACHE_DIR"), store.lock("tiny: float32@onnx"):
        pass


def test_what_is_built_is_announced(store):
    said = []
    builder = Builder(store, said.append)
    try:
        for _ in range(2):
            builder.artifact(subject(), Recipe.parse("float32@onnx"))
    finally:
        builder.close()
    assert said == ["building tiny: float32@onnx"]


def key(one=None, text="rounded@onnx"):
    recipe = Recipe.parse(text)
    return build._key(one or subject(), (*recipe.transforms, recipe.export), recipe.runtime)


def test_the_key_stays_as_long_as_nothing_changed():
    assert key() == key() == key(text="rounded(0.25) @ onnx")


@pytest.mark.parametrize(
    "change",
    [
        {"identity": lambda: "tiny-2"},
        {"name": "other"},
        {"training": Training(epochs=1)},
    ],
)
def test_another_subject_is_another_key(change):
    assert key(dataclasses.replace(subject(), **change)) != key()


def test_another_recipe_is_another_key():
    keys = {key(text=text) for text in ("rounded@onnx", "rounded(0.5)@onnx", "float32@onnx", "retrain | rounded@onnx")}
    assert len(keys) == 4


def test_another_library_version_is_another_key(monkeypatch):
    before = key()
    monkeypatch.setattr("compress.build.library_versions", lambda: {"numpy": "99.0"})
    assert key() != before


def test_a_changed_source_is_another_key(tmp_path):
    package = tmp_path / "quantizers"
    package.mkdir()
    (package / "affine.py").write_text("ROUND_UP = False")
    before = build._source_digest.__wrapped__(package)
    assert build._source_digest.__wrapped__(package) == before
    (package / "affine.py").write_text("ROUND_UP = True")
    changed = build._source_digest.__wrapped__(package)
    (package / "affine.py").write_text("ROUND_UP = False")
    (package / "packing.py").write_text("")
    assert len({before, changed, build._source_digest.__wrapped__(package)}) == 3


def test_a_step_is_built_again_when_a_package_that_it_calls_changes():
    steps = {"quantization", "pruning", "lowrank", "tfmot"}
    for package in sorted(steps):
        sources = "".join(path.read_text() for path in (Path(build.__file__).parent / package).glob("*.py"))
        called = set(re.findall(r"from compress\.(\w+)", sources)) & steps - {package}
        assert called == set(build._CALLED.get(package, ()))


def test_a_builder_that_dies_is_a_crash_and_the_next_build_works(builder):
    with pytest.raises(
        RuntimeCrash, match=r"tiny: deadly@onnx: the building process died \(a crash, or out of memory\)"
    ):
        builder.artifact(subject(), Recipe.parse("deadly@onnx"))
    assert builder.artifact(subject(), Recipe.parse("float32@onnx")).raw_bytes > 0


def test_a_builder_that_hangs_is_cut_at_the_deadline_and_the_next_build_works(builder, monkeypatch):
    builder.artifact(subject(), Recipe.parse("float32@onnx"))
    monkeypatch.setattr("compress.build.DEADLINE_S", 0.5)
    with pytest.raises(RuntimeCrash, match=r"tiny: deadly\(hang\)@onnx: not built within 0\.5 s"):
        builder.artifact(subject(), Recipe.parse("deadly(hang)@onnx"))
    monkeypatch.setattr("compress.build.DEADLINE_S", 60.0)
    assert builder.artifact(subject(), Recipe.parse("rounded@onnx")).raw_bytes > 0


def test_the_error_of_a_step_comes_back_as_it_is(builder):
    with pytest.raises(RecipeError, match="this model cannot be written so"):
        builder.artifact(subject(), Recipe.parse("deadly(refuse)@onnx"))


def test_many_are_built_side_by_side_and_what_fails_is_left_out(store):
    subjects, said = [subject("tiny"), subject("other")], []
    recipes = ["float32@onnx", "deadly(refuse)@onnx", "deadly(err)@onnx", "deadly@onnx", "rounded(0.5)@onnx"]
    cells = [(one, Recipe.parse(recipe)) for one in subjects for recipe in recipes]
    build_all(store, cells, 2, said.append)
    built = [find_artifact(store, *cell) is not None for cell in cells]
    assert built == 2 * [True, False, False, False, True]
    assert sorted(line.split(":")[0] for line in said) == sorted(f"built {count} of 10" for count in range(1, 11))


def test_nothing_more_is_built_after_an_error_that_is_not_ours(store):
    def announce(_: str) -> None:
        raise ZeroDivisionError

    cells = [(subject(name), Recipe.parse(f"rounded({step})@onnx")) for name in ("a", "b") for step in (0.5, 0.25, 1)]
    with pytest.raises(ZeroDivisionError):
        build_all(store, cells, 1, announce)
    assert sum(find_artifact(store, *cell) is not None for cell in cells) == 1


ORPHANED = """
import sys
from pathlib import Path

from compress.build import Builder, Store
from compress.recipe import Recipe
from tests.tiny_subject import subject

if __name__ == "__main__":
    Builder(Store(Path(sys.argv[1]))).artifact(subject(), Recipe.parse("deadly(hang)@onnx"))
"""


def test_a_builder_ends_with_the_process_that_was_killed(tmp_path):
    script = tmp_path / "suite.py"
    script.write_text(ORPHANED)
    environment = {
        **os.environ,
        "TINY_STEPS": "1",
        "TINY_LOG": str(tmp_path / "log"),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    with subprocess.Popen([sys.executable, str(script), str(tmp_path / "store")], env=environment) as suite:
        deadline = time.monotonic() + 60
        while not (tmp_path / "log").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        assert (tmp_path / "log").read_text() == "deadly hang\n"
        children = psutil.Process(suite.pid).children(recursive=True)
        suite.kill()
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert gone
    assert alive == []


def test_closing_ends_the_building_process(builder):
    builder.artifact(subject(), Recipe.parse("float32@onnx"))
    (process,) = builder._pool._processes.values()
    builder.close()
    process.join(10)
    assert process.exitcode is not None
    builder.close()
