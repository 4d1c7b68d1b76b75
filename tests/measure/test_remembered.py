"""Answers are remembered for as long as nothing that gave them has changed, and never when they are damaged."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from compress.artifact import Artifact
from compress.decoding import Decoding
from compress.measure import remembered
from compress.measure.remembered import RememberedAnswers
from compress.records import records

FILE = Artifact(Path("model.onnx"), "tiny", "int8@onnx", "onnx", "ab" * 32, 10, 1.0, {}, 9)
ANSWERS = np.arange(12, dtype=np.float32).reshape(3, 4)
DECODING = Decoding(end=0, most_new=4)


@pytest.fixture
def kept(tmp_path):
    remembered._surroundings.cache_clear()
    yield RememberedAnswers(tmp_path)
    remembered._surroundings.cache_clear()


@pytest.mark.parametrize("answers", [ANSWERS, records({"a": ANSWERS, "b": np.ones((3, 2), np.int32)})])
def test_what_was_added_is_found_as_it_was(kept, answers):
    kept.add(FILE, "samples", None, answers)
    found = kept.find(FILE, "samples", None)

    assert found.dtype == answers.dtype
    np.testing.assert_array_equal(found, answers)


@pytest.mark.parametrize(
    ("file", "samples", "decoding"),
    [
        (dataclasses.replace(FILE, sha256="cd" * 32), "samples", DECODING),
        (dataclasses.replace(FILE, runtime="litert"), "samples", DECODING),
        (FILE, "others", DECODING),
        (FILE, "samples", None),
        (FILE, "samples", dataclasses.replace(DECODING, beams=2)),
    ],
)
def test_another_file_sample_or_decoding_has_answers_of_its_own(kept, file, samples, decoding):
    kept.add(FILE, "samples", DECODING, ANSWERS)

    assert kept.find(FILE, "samples", DECODING) is not None
    assert kept.find(file, samples, decoding) is None


def test_the_name_of_a_recipe_is_nothing_to_the_file_that_it_makes(kept):
    kept.add(FILE, "samples", None, ANSWERS)

    assert kept.find(dataclasses.replace(FILE, subject="other", recipe="float32@onnx"), "samples", None) is not None


@pytest.mark.parametrize("changed", [{"libraries": {"onnxruntime": "99"}}, {"cpu": "another"}, {"isa": []}])
def test_another_machine_or_library_answers_anew(kept, changed, monkeypatch):
    kept.add(FILE, "samples", None, ANSWERS)
    here = remembered.fingerprint()
    monkeypatch.setattr(remembered, "fingerprint", lambda: here | changed)
    remembered._surroundings.cache_clear()

    assert kept.find(FILE, "samples", None) is None


@pytest.mark.parametrize("part", ["runtime/litert.py", "runtime/worker.py", "decoding.py", "records.py"])
def test_another_source_of_what_runs_files_answers_anew(kept, part, monkeypatch):
    kept.add(FILE, "samples", None, ANSWERS)
    read = Path.read_bytes
    changed = Path(remembered.__file__).parents[1] / part
    assert changed.exists()
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"#" * (path == changed))
    remembered._surroundings.cache_clear()

    assert kept.find(FILE, "samples", None) is None


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content[:-1] + b"\x01"])
def test_damaged_answers_are_none(kept, damage, tmp_path):
    kept.add(FILE, "samples", None, ANSWERS)
    (path,) = tmp_path.rglob("outputs.npy")
    path.write_bytes(damage(path.read_bytes()))

    assert kept.find(FILE, "samples", None) is None
    kept.add(FILE, "samples", None, ANSWERS)
    np.testing.assert_array_equal(kept.find(FILE, "samples", None), ANSWERS)
