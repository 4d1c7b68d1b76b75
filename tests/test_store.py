"""A store holds whole entries or none, whoever writes at once, whatever becomes of its files."""

import multiprocessing
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import CompressError
from compress.store import Store

KEY = "ab" + 62 * "0"
CONTENT = b"a model file"


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "artifacts")


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
