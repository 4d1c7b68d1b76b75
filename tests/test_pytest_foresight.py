"""What benches will ask for is foreseen by calling them with cells that hold nothing."""

import pytest

from compress import build
from compress.claims.claim import unmeasured
from compress.errors import CompressError
from compress.pytest_foresight import Nothing, foreseen, missing
from compress.workbench import Workbench
from tests.tiny_subject import subject


class Item:
    """A collected test as pytest has it, as far as foresight looks at it."""

    def __init__(self, function, *, scale=None, **params):
        self.obj = function
        names = function.__code__.co_varnames[: function.__code__.co_argcount]
        self._fixtureinfo = type("Info", (), {"argnames": names})
        self.scale = scale
        if params:
            self.callspec = type("Spec", (), {"params": params})

    def get_closest_marker(self, name):
        assert name == "scale"
        return None if self.scale is None else pytest.mark.scale(self.scale).mark


@pytest.fixture
def workbench(tmp_path):
    return Workbench([subject("tiny"), subject("other")], tmp_path)


def asked(workbench, *items, scale="embedded"):
    return [f"{subject}: {recipe}" for subject, recipe in foreseen(list(items), workbench, scale)]


def test_what_a_bench_asks_for_comes_after_its_reference_and_once(workbench):
    def ratio(subject, recipe, compressed):
        return compressed(subject, recipe).size_ratio

    items = [
        Item(ratio, subject="tiny", recipe=recipe) for recipe in ("int8", "prune(0.9) | int8", "int8@onnx", "int8")
    ]
    assert asked(workbench, *items) == [
        "tiny: float32",
        "tiny: int8",
        "tiny: prune(0.9) | int8",
        "tiny: float32@onnx",
        "tiny: int8@onnx",
    ]


def test_a_bench_that_reckons_with_its_cells_is_followed_to_its_end(workbench):
    def bench(compressed, report_table, paper_table):
        cells = {name: compressed("tiny", name) for name in ("float16", "int8")}
        printed = {row[0]: row[1] for row in paper_table("a/table-I").rows}
        report_table("title", ("a", "b")).rows.append((f"{cells['int8'].accuracy.value:+.2f}", f"{len(printed):,}"))
        best = max(cells.values(), key=lambda cell: cell.accuracy.value)
        share = best.accuracy_drop_from(cells["int8"]).value / cells["float16"].measurement.values["ops"]["CONV_2D"]
        return share + sum(part.bytes for part in best.parts) + compressed("other", "dynamic_range").raw_bytes

    assert asked(workbench, Item(bench))[-1] == "other: dynamic_range"


@pytest.mark.parametrize("end", [lambda: unmeasured("no data"), lambda: pytest.skip("no"), lambda: 1 / 0])
def test_what_was_asked_for_before_a_bench_ended_is_kept(workbench, end):
    def bench(compressed):
        compressed("tiny", "int8")
        end()
        compressed("tiny", "float16")

    assert asked(workbench, Item(bench)) == ["tiny: float32", "tiny: int8"]


def test_ctrl_c_ends_it(workbench):
    def bench(compressed):  # noqa: ARG001 - asked for by name
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asked(workbench, Item(bench))


@pytest.mark.parametrize(
    ("marked", "scale", "found"), [("paper", "embedded", 0), ("paper", "paper", 2), (None, "paper", 2)]
)
def test_a_bench_of_another_scale_is_passed_over(workbench, marked, scale, found):
    def bench(compressed):
        compressed("tiny", "int8")

    assert len(asked(workbench, Item(bench, scale=marked), scale=scale)) == found


def test_a_bench_with_fixtures_of_its_own_is_never_called(workbench):
    def bench(compressed, tmp_path):  # noqa: ARG001 - asked for by name
        raise AssertionError(tmp_path)

    def no_bench(tmp_path):
        raise AssertionError(tmp_path)

    assert asked(workbench, Item(bench), Item(no_bench)) == []


def test_a_subject_that_is_absent_or_unknown_and_a_bad_recipe_are_left_to_the_bench(tmp_path):
    from dataclasses import replace

    workbench = Workbench([replace(subject("tiny"), absent=lambda: "needs the set")], tmp_path)

    def bench(subject, recipe, compressed):
        compressed(subject, recipe)

    cases = [("tiny", "int8"), ("nobody", "int8"), ("tiny", "int9")]
    assert asked(workbench, *(Item(bench, subject=one, recipe=recipe) for one, recipe in cases)) == []


def test_only_what_is_not_stored_is_missing(workbench, monkeypatch):
    cells = foreseen([Item(lambda compressed: compressed("tiny", "int8"))], workbench, "embedded")
    assert missing(cells, workbench) == cells

    def is_built(_, recipe):
        if str(recipe) == "float32":
            return True
        raise CompressError("its weights are gone")

    monkeypatch.setattr(workbench, "is_built", is_built)
    assert missing(cells, workbench) == []


def test_what_a_converter_has_refused_is_not_built_before_anything_is_measured(workbench):
    cells = foreseen([Item(lambda compressed: compressed("tiny", "int8"))], workbench, "embedded")
    for name, recipe in cells:
        key = build._file_key(workbench.subject(name), recipe)
        workbench.builder.store.add(key, build.REFUSAL, b"no kernel", {})
    assert missing(cells, workbench) == []


def test_nothing_is_a_number_that_can_be_asked_anything():
    assert Nothing().a.b(1, key=2)["c"] + 1 == 2
    assert list(Nothing()) == []
    assert not hasattr(Nothing(), "__len__")
