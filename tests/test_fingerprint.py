"""A fingerprint tells machines and libraries apart, entry by entry."""

import json
from importlib.metadata import version

from compress.fingerprint import differences, fingerprint, library_versions


def test_a_machine_does_not_differ_from_itself():
    assert differences(fingerprint(), json.loads(json.dumps(fingerprint()))) == []


def test_the_fingerprint_names_what_times_depend_on():
    found = fingerprint()
    assert found["cpu"]
    assert found["cores"] >= 1
    assert found["libraries"]["numpy"] == version("numpy")


def test_every_difference_is_told_with_old_and_new():
    old = {"cpu": "A", "cores": 2, "libraries": {"numpy": "1", "keras": "3"}}
    new = {"cpu": "B", "cores": 2, "libraries": {"numpy": "2", "onnx": "1"}}
    assert differences(old, new) == [
        "cpu: A -> B",
        "libraries: keras: 3 -> None",
        "libraries: numpy: 1 -> 2",
        "libraries: onnx: None -> 1",
    ]


def test_a_library_that_is_not_installed_is_left_out(monkeypatch):
    monkeypatch.setattr("compress.fingerprint.LIBRARIES", ("numpy", "no-such-distribution"))
    assert library_versions() == {"numpy": version("numpy")}
