"""A cell is a subject and a recipe, built and measured once; ratios and drops are against its float32 file."""

import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from compress.artifact import sha256_of
from compress.errors import CompressError, RecipeError, RuntimeCrash
from compress.measure.figure import Figure
from compress.measure.measurement import measure_file
from compress.measure.metric import METRICS
from compress.recipe import Recipe
from compress.runtime import isolation
from compress.workbench import Cell, Workbench, cache_folder, side_by_side_pictures
from tests.runtime.tflite_builder import Builder
from tests.tiny_subject import KERNEL, subject

pytestmark = pytest.mark.usefixtures("tiny_steps")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """Return a workbench and the names of the cells it measured, in order."""
    names = []
    bench = Workbench(
        [subject(), subject("other")],
        tmp_path_factory.mktemp("cache"),
        on_measured=lambda cell: names.append(cell.name),
    )
    yield bench, names
    bench.close()


@pytest.fixture(scope="module")
def bench(measured):
    return measured[0]


@pytest.fixture(scope="module")
def rounded(bench):
    return bench.compressed("tiny", "rounded(1)@onnx")


def test_a_cell_is_measured_once_with_its_reference_before_it(measured):
    bench, names = measured
    cell = bench.compressed("tiny", "rounded(1)@onnx")
    assert bench.compressed("tiny", " rounded( 1.0 ) @onnx") is cell
    assert cell.reference is bench.compressed("tiny", "float32@onnx")
    assert names[:2] == ["tiny: float32@onnx", "tiny: rounded(1)@onnx"]
    assert len(names) == len(set(names))


def pictured(bench, subject, recipe, **pictures):
    """Return a measured cell of `bench` whose outputs are `pictures`, by recipe, as if its file had made them."""
    cell = bench.compressed(subject, recipe)
    return dataclasses.replace(cell, measurement=dataclasses.replace(cell.measurement, **pictures))


def test_files_of_one_subject_are_set_side_by_side_as_pictures(bench, monkeypatch):
    x = np.linspace(0, 1, 200 * 2 * 2).reshape(200, 2, 2, 1).astype(np.float32)
    reference = pictured(bench, "tiny", "float32@onnx", outputs=x)
    monkeypatch.setattr(Cell, "reference", property(lambda _: reference))
    cells = [pictured(bench, "tiny", f"rounded({step})@onnx", outputs=x) for step in (1, 0.25)]
    made = side_by_side_pictures(*cells)
    assert list(made) == ["float32", "rounded(1)@onnx", "rounded@onnx"]  # samples of four numbers are no pictures
    assert len({one.png for one in made.values()}) == 1
    assert Figure("tiny").add_all(made).kind == "picture"


def test_what_makes_no_pictures_or_has_another_reference_is_refused(bench, rounded):
    with pytest.raises(CompressError, match=r"tiny: rounded\(1\)@onnx: its outputs are no pictures .*\(200, 3\)"):
        side_by_side_pictures(rounded)
    with pytest.raises(CompressError, match="pictures of one subject and runtime compare"):
        side_by_side_pictures(rounded, bench.compressed("other", "rounded(1)@onnx"))


def test_a_reference_is_its_own_reference(rounded):
    assert rounded.reference.reference is rounded.reference
    assert rounded.reference.size_ratio == 1.0
    assert rounded.reference.accuracy_drop.value == 0.0


def test_weights_are_read_back_from_the_file_under_the_names_of_its_parts(bench, rounded, tmp_path):
    build = Builder()
    build.dense([build.tensor([1, 2]), build.constant(np.float32([[0.5, 0]])), -1], [build.tensor([1, 1])])
    path = tmp_path / "small.tflite"
    path.write_bytes(build.finish((0,), (2,)))
    artifact = dataclasses.replace(rounded.artifact, path=path, runtime="litert")
    recipe = Recipe((), SimpleNamespace(runtimes={"litert"}), "litert")
    cell = Cell(subject(), recipe, measure_file(artifact), bench)
    (part,) = [each for each in cell.parts if each.kind == "weights"]
    assert cell.weights(part.name).tolist() == [[0.5, 0]]
    with pytest.raises(CompressError, match=r"rounded\(1\)@onnx: weights are read back from \.tflite files only"):
        rounded.weights(part.name)


def test_every_value_is_a_plain_number_of_a_known_metric(rounded):
    values = rounded.measurement.values
    others = {
        "score",
        "overall_score",
        "frechet_distance",
        "top_5_accuracy",
        "mse",
        "psnr_db",
        "cosine_similarity",
        "generation_time_s",
    }  # of other tasks, or more classes
    assert values.keys() == METRICS.keys() - others
    assert rounded.reference.measurement.values.keys() == METRICS.keys() - {*others, "output_sqnr_db"}
    assert json.loads(json.dumps(values)) == values  # which refuses numpy's
    assert all(type(value) in (int, float, dict) for value in values.values())


def test_what_is_measured_is_what_the_file_does(bench, rounded):
    data = bench.data(rounded.subject)
    outputs = data.evaluation_x @ np.round(KERNEL)
    right = outputs.argmax(axis=1) == data.evaluation_y
    exact = data.evaluation_x @ KERNEL
    sqnr_db = 10 * math.log10((exact**2).sum() / ((outputs - exact) ** 2).sum())
    np.testing.assert_allclose(rounded.measurement.outputs, outputs, rtol=1e-5)
    assert rounded.accuracy.value == pytest.approx(100 * right.mean())
    assert rounded.accuracy.n == 200
    assert rounded.value("output_sqnr_db") == pytest.approx(sqnr_db, abs=1e-3)
    assert rounded.value("sparsity") == pytest.approx((np.round(KERNEL) == 0).mean())
    assert rounded.parameters == 12
    assert rounded.raw_bytes == len(rounded.artifact.path.read_bytes())
    assert sum(part.bytes for part in rounded.parts) == rounded.raw_bytes


def test_the_drop_is_that_of_the_same_samples(rounded):
    before, after = rounded.reference.measurement.outcomes.correct, rounded.measurement.outcomes.correct
    drop = rounded.accuracy_drop
    assert drop.value == pytest.approx(100 * (before.mean() - after.mean()))
    assert drop.low < drop.value < drop.high
    assert drop.unit == "points"
    assert f"{int((before & ~after).sum())} lost, {int((~before & after).sum())} gained" in drop.note


def test_a_drop_from_another_cell_is_its_negative_seen_from_there(bench, rounded):
    fine = bench.compressed("tiny", "rounded(0.25)@onnx")
    assert rounded.accuracy_drop_from(fine).value == pytest.approx(-fine.accuracy_drop_from(rounded).value)


def test_ratios_are_of_the_reference_over_the_file(rounded):
    assert rounded.size_ratio == rounded.reference.raw_bytes / rounded.raw_bytes
    assert rounded.gzip_ratio == rounded.reference.gzip_bytes / rounded.gzip_bytes


def test_cells_scored_on_other_samples_are_not_paired(rounded):
    outcomes = dataclasses.replace(rounded.measurement.outcomes, samples="others")
    other = dataclasses.replace(rounded, measurement=dataclasses.replace(rounded.measurement, outcomes=outcomes))
    with pytest.raises(CompressError, match="were not scored on the same samples"):
        rounded.accuracy_drop_from(other)


def test_a_metric_that_was_not_measured_is_answered_with_those_that_were(rounded):
    with pytest.raises(CompressError, match="tiny: rounded\\(1\\)@onnx: bleu was not measured; there are raw_bytes"):
        rounded.value("bleu")


def test_an_unknown_subject_is_answered_with_those_there_are(bench):
    with pytest.raises(CompressError, match="no subject 'mnist'; there are other, tiny"):
        bench.compressed("mnist", "float32@onnx")


def test_two_subjects_of_one_name_are_refused():
    with pytest.raises(CompressError, match="two subjects are called 'tiny'"):
        Workbench([subject(), subject()])


def test_a_bad_recipe_is_refused_before_anything_is_built(bench):
    with pytest.raises(RecipeError, match="no step 'roundet'; did you mean 'rounded'"):
        bench.compressed("tiny", "roundet@onnx")


def test_a_cell_that_failed_fails_again_at_once(measured, tiny_steps):
    bench, names = measured
    crashes = []
    for _ in range(2):
        with pytest.raises(RuntimeCrash, match="the building process died") as crashed:
            bench.compressed("tiny", "deadly@onnx")
        crashes.append(crashed.value)
    assert crashes[0] is crashes[1]
    assert tiny_steps.read_text().splitlines().count("deadly exit") == 1
    assert not any("deadly" in name for name in names)


def test_a_workbench_finds_what_another_one_built(bench, rounded, tiny_steps):
    steps = tiny_steps.read_text()
    other = Workbench([subject()], bench.folder)
    try:
        again = other.compressed("tiny", "rounded(1)@onnx")
    finally:
        other.close()
    assert other.builder._pool is None
    assert again.artifact == rounded.artifact
    assert "rounded 1" in steps.splitlines()
    assert tiny_steps.read_text() == steps


def test_another_workbench_times_a_file_again_and_does_not_ask_what_it_answered_before(bench, rounded, monkeypatch):
    asked = []

    def run(*args, known, **options):
        asked.append(known)
        return isolation.run_isolated(*args, known=known, **options)

    monkeypatch.setattr("compress.measure.measurement.run_isolated", run)
    again = Workbench([subject()], bench.folder)
    cell = again.compressed("tiny", "rounded(1)@onnx")
    again.close()

    assert [one is not None for one in asked] == [True, True]
    np.testing.assert_array_equal(cell.measurement.outputs, rounded.measurement.outputs)
    assert cell.accuracy_drop == rounded.accuracy_drop
    assert cell.measurement.latency_samples_s != rounded.measurement.latency_samples_s
    assert cell.value("load_time_s") != rounded.value("load_time_s")


def test_the_inputs_are_written_once_and_are_those_of_the_evaluation(bench):
    path = bench.evaluation_file(subject())
    stamp = path.stat().st_mtime_ns
    assert bench.evaluation_file(subject("other")) == path
    assert path.stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(np.load(path), subject().data().evaluation_x)
    assert path.stem == sha256_of(np.ascontiguousarray(subject().data().evaluation_x).tobytes())


def test_cells_at_another_scale_have_names_of_their_own(bench):
    other = Workbench([subject()], bench.folder, scale="paper")
    try:
        assert other.compressed("tiny", "float32@onnx").name == "paper/tiny: float32@onnx"
    finally:
        other.close()


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("COMPRESS_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("COMPRESS_CACHE_DIR")
    assert cache_folder().name == "compress-bench"
    assert cache_folder().is_absolute()
    assert isinstance(cache_folder(), Path)
