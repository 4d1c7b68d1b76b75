"""A golden file is a baseline in version control: it holds no times, and says who accepted what, and why."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from compress.claims.gate import compare_cells
from compress.claims.golden import Golden
from compress.claims.ledger import StoredRun
from compress.errors import LedgerError
from compress.measure.classification import score
from compress.measure.scores import Scores
from tests.cli.stored_run import document

OUTCOMES = score(np.eye(3, dtype=np.float32), np.arange(3), np.eye(3, dtype=np.float32)).to_json()
SCORES = Scores.of(np.array([0.5, 0.25], np.float32), np.arange(2)).to_json()
TIMES = {"latency_s": 1e-5, "load_time_s": 0.1, "compress_time_s": 3.0, "peak_memory_bytes": 50_000_000}


def cell(raw_bytes=100, **values):
    return {
        "sha256": f"{raw_bytes:064}",
        "runtime": "litert",
        "values": {"raw_bytes": raw_bytes, "ops": {"ADD": 1}, "accuracy": 1.0, **TIMES, **values},
        "outcomes": OUTCOMES,
        "scores": SCORES,
        "versions": {"ai-edge-litert": "2.3.0"},
        "anchor": "0001_x.json",
        "timed": {"against": "0" * 64, "comparison": {"ratio": 1.5, "spent_s": 0.5}},
    }


def run(status="green", **options):
    """Return a run of cells called by one letter; `options` other than those are a document's."""
    cells = {name: options.pop(name) for name in list(options) if len(name) == 1}
    return StoredRun(Path("0007_x.json"), document(status, cells=cells, **options))


@pytest.fixture
def golden(tmp_path):
    return Golden(tmp_path / "benches" / "golden.json")


def sizes(golden, scale="embedded"):
    baseline = golden.baseline(scale)
    return {name: stored["values"]["raw_bytes"] for name, (_, stored) in baseline.cells.items()}


def test_a_golden_file_comes_back_as_it_was_written(golden):
    golden = golden.accept(run(a=cell(), b=cell()), "the first", who="Ada")
    golden.write()
    assert Golden.load(golden.path) == golden
    assert sizes(Golden.load(golden.path)) == {"a": 100, "b": 100}
    assert [path.name for path in golden.path.parent.iterdir()] == ["golden.json"]


def test_a_golden_file_holds_no_times(golden):
    golden.accept(run(a=cell()), "the first").write()
    stored = json.loads(golden.path.read_text())["compress"]["cells"]["a"]
    assert stored == {
        "sha256": f"{100:064}",
        "runtime": "litert",
        "values": {"raw_bytes": 100, "ops": {"ADD": 1}, "accuracy": 1.0},
        "outcomes": OUTCOMES,
        "scores": SCORES,
        "versions": {"ai-edge-litert": "2.3.0"},
        "scale": "embedded",
    }
    assert not re.search("_time_s|latency|memory|spent", golden.path.read_text())


def test_the_same_content_is_the_same_file_and_one_cell_a_few_lines(golden):
    golden = golden.accept(run(b=cell(), a=cell()), "the first", who="Ada")
    golden.write()
    first = golden.path.read_text()
    assert first.endswith("}\n")
    Golden.load(golden.path).write()
    assert golden.path.read_text() == first
    again = golden.accept(run(a=cell(200), b=cell()), "bigger", who="Ada")
    again.write()
    second = golden.path.read_text()
    cells = [text[: text.index('"selections"')].splitlines() for text in (first, second)]
    of_cells = [lines[lines.index('  "cells": {') :] for lines in cells]
    assert sum(old != new for old, new in zip(*of_cells, strict=True)) == 2  # its size and its digest


def test_what_is_stored_is_compared_like_a_run(golden):
    golden.accept(run(a=cell(), b=cell()), "the first").write()
    baseline = Golden.load(golden.path).baseline("embedded")
    held = {name: stored for name, (_, stored) in baseline.cells.items()}
    assert compare_cells("a", held["a"], cell()) == []
    (change,) = compare_cells("b", held["b"], cell(200))
    assert (change.metric, change.direction) == ("raw_bytes", "worse")


def test_a_golden_baseline_says_what_it_is_and_has_no_files(golden, monkeypatch):
    monkeypatch.chdir(golden.path.parent.parent)
    golden.accept(run(a=cell()), "the first").write()
    baseline = Golden.load(golden.path).baseline("embedded")
    when = Golden.load(golden.path).accepted[-1]["when"][:10]
    assert baseline.newest.describe() == f"golden file benches/golden.json (accepted {when}: the first)"
    assert baseline.ledger is None
    assert baseline.file("a") is None
    assert baseline.latest == baseline.cells
    assert baseline.newest.may_be_baseline("a")


def test_each_scale_is_a_baseline_of_its_own(golden):
    golden = golden.accept(run(a=cell()), "small").accept(run(b=cell(300), scale="paper"), "large")
    assert sizes(golden) == {"a": 100}
    assert sizes(golden, "paper") == {"b": 300}
    assert golden.baseline("other") is None


def test_accepting_tells_who_was_what_before(golden):
    golden = golden.accept(run(a=cell(), b=cell(), c=cell()), "the first", who="Ada")
    golden = golden.accept(run("red", a=cell(200, accuracy=0.5), b=cell(), d=cell()), "bigger and worse", who="Bob")
    first, second = golden.accepted
    assert {key: second[key] for key in second if key != "when"} == {
        "reason": "bigger and worse",
        "who": "Bob",
        "cells": "all",
        "run": "run 0007 (red, 2026-11-22T00:11:22, 0123456789)",
        "before": {
            "a": {"raw_bytes": [100, 200], "accuracy": [1.0, 0.5], "sha256": [f"{100:064}", f"{200:064}"]},
            "c": {"sha256": [f"{100:064}", None]},
            "d": {"sha256": [None, f"{100:064}"]},
        },
    }
    assert first["when"] <= second["when"]
    assert first["reason"] == "the first"


def test_accepting_returns_another_golden_file_and_writes_nothing(golden):
    first = golden.accept(run(a=cell()), "the first")
    second = first.accept(run(a=cell(200)), "the second")
    assert (sizes(first), sizes(second)) == ({"a": 100}, {"a": 200})
    assert not golden.path.exists()


def test_only_the_named_cells_are_taken(golden):
    golden = golden.accept(run(a=cell(), b=cell()), "the first")
    golden = golden.accept(run("red", a=cell(200), b=cell(200), c=cell(200)), "only a", ["a"])
    assert sizes(golden) == {"a": 200, "b": 100}
    assert golden.accepted[-1]["cells"] == ["a"]
    assert golden.baseline("embedded").newest.whole("benches")


@pytest.mark.parametrize(
    ("options", "cells", "reason", "refusal"),
    [
        ({"a": cell(1)}, (), " ", "needs a reason"),
        ({"a": cell(1)}, ("z",), "why not", "did not measure 'z'; it has 'a'"),
        ({}, (), "why not", "holds no measured cells"),
        ({"a": cell() | {"anchor": "other"}}, (), "why not", "holds just this of run 0007 .* nothing to accept"),
        ({"a": cell(latency_s=9.0)}, ("a",), "why not", "holds just this of run 0007 .* nothing to accept"),
    ],
)
def test_what_cannot_be_accepted_is_refused(golden, options, cells, reason, refusal):
    golden = golden.accept(run(a=cell()), "the first")
    with pytest.raises(LedgerError, match=refusal):
        golden.accept(run(**options), reason, cells)


SMALL, WHOLE_A, WHOLE_B = {"complete": False}, {"selection": "benches/a"}, {"selection": "benches/b"}


@pytest.mark.parametrize(
    ("runs", "names", "whole"),
    [
        ([run(a=cell(), b=cell()), run(a=cell(1))], "a", "benches"),
        ([run(a=cell(), b=cell()), run(a=cell(1), **SMALL)], "ab", "benches"),
        ([run(a=cell(), b=cell()), run(a=cell(1), **WHOLE_A)], "ab", "benches"),
        ([run(a=cell(), **WHOLE_A), run(a=cell(1), b=cell())], "ab", "benches"),
        ([run(a=cell(), **WHOLE_A), run(b=cell(), **WHOLE_B)], "ab", "benches/a benches/b"),
        ([run(a=cell(), **WHOLE_A), run(b=cell(), **WHOLE_B, **SMALL)], "ab", None),
        ([run(a=cell(), **WHOLE_A), run(a=cell(1), **WHOLE_B, **SMALL)], "a", "benches/a"),
        ([run(a=cell()), run(b=cell(), **WHOLE_B, **SMALL)], "ab", "benches"),
        ([run(a=cell(), **SMALL)], "a", None),
        ([run(a=cell(), **SMALL), run(a=cell(), b=cell())], "ab", "benches"),
        ([run(a=cell(), c=cell(), **SMALL), run(a=cell(1))], "ac", None),
    ],
)
def test_cells_can_go_missing_only_where_it_is_known_that_they_were_all(golden, runs, names, whole):
    for one in runs:
        golden = golden.accept(one, "reason")
    newest = golden.baseline("embedded").newest
    assert "".join(sorted(newest.cells)) == names
    assert (newest.compress["selection"] if newest.compress["complete"] else None) == whole
    assert newest.whole("benches") == (whole == "benches")


def damaged(change):
    """Return a golden file's text after `change` of its content."""
    golden = Golden(Path("x")).accept(run(a=cell()), "the first")
    compress = {"schema": 1, "kind": "golden", "selections": {}, "cells": golden.cells, "accepted": golden.accepted}
    compress = json.loads(json.dumps(compress))
    change(compress)
    return json.dumps({"compress": compress})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "Expecting value"),
        ('{\n<<<<<<< ours\n"compress": {}', "Expecting property name"),
        ("[]", "'compress' is not of kind 'golden'"),
        (json.dumps(document()), "'compress' is not of kind 'golden'"),
        (damaged(lambda it: it.update(schema=9)), "written by another version: schema 9, this one reads 1"),
        (damaged(lambda it: it.update(cells=[])), "'compress' is not what this version writes"),
        (damaged(lambda it: it.pop("cells")), "cells, accepted and selections must all be there"),
        (damaged(lambda it: it.update(accepted=[])), "cells, accepted and selections must all be there"),
        (damaged(lambda it: it["accepted"][0].pop("when")), "an acceptance without a time or a reason"),
        (damaged(lambda it: it["cells"]["a"].pop("scale")), "a: no scale"),
        (damaged(lambda it: it["cells"]["a"]["outcomes"].update(noise="00")), "a: stored outcomes are damaged"),
        (damaged(lambda it: it["cells"]["a"]["scores"].update(n=7)), "a: stored scores are damaged"),
    ],
)
def test_a_damaged_golden_file_is_refused_by_name_with_a_remedy(tmp_path, content, reason):
    path = tmp_path / "golden.json"
    path.write_text(content)
    with pytest.raises(LedgerError) as refused:
        Golden.load(path)
    assert str(refused.value).startswith(f"{path}: not a golden file (")
    assert reason in str(refused.value)
    assert str(refused.value).endswith(
        f'restore it from version control, or make one: `compress-bench accept RUN --golden {path} --reason "..."`'
    )


def test_an_undamaged_file_is_what_the_damage_above_starts_from(tmp_path):
    path = tmp_path / "golden.json"
    path.write_text(damaged(lambda it: it.update()))
    assert sizes(Golden.load(path)) == {"a": 100}


def test_a_golden_file_that_is_not_there_is_refused_with_how_to_make_one(golden):
    with pytest.raises(LedgerError, match=r"golden\.json: there is no golden file; make one: `compress-bench accept"):
        Golden.load(golden.path)


def test_a_golden_file_that_cannot_be_written_stays_as_it_was(golden, monkeypatch):
    golden = golden.accept(run(a=cell()), "the first")
    golden.write()
    before = golden.path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("compress.claims.atomic.os.fsync", full)
    with pytest.raises(LedgerError, match=r"golden\.json: the golden file could not be written: .*No space left"):
        golden.accept(run(a=cell(200)), "bigger").write()
    assert golden.path.read_bytes() == before
    assert [path.name for path in golden.path.parent.iterdir()] == ["golden.json"]
