"""The table of cells shows a classifier's accuracy, and of any other subject the score that it was judged by."""

import dataclasses

import numpy as np
import pytest

from compress.report import cells
from compress.workbench import Workbench
from tests.tiny_subject import subject

pytestmark = pytest.mark.usefixtures("tiny_steps")


def largest(outputs, labels):
    """Return the largest output of each sample."""
    assert len(labels) == len(outputs)
    return outputs.max(axis=1)


@pytest.fixture
def bench(tmp_path):
    scored = dataclasses.replace(subject("scored"), task="regression", score=largest)
    made = Workbench([subject(), scored], tmp_path)
    yield made
    made.close()


def test_a_subject_without_classes_is_shown_by_its_score_and_what_of_it_was_lost(bench):
    plain, rounded = (bench.compressed("scored", recipe) for recipe in ("float32@onnx", "rounded(1)@onnx"))
    score, before = rounded.measurement.outputs.max(axis=1).mean(), plain.measurement.outputs.max(axis=1).mean()
    place = 1 + cells.COLUMNS.index("right")
    shown, lost = cells.row(rounded)[place : place + 2]
    assert float(shown) == pytest.approx(score, rel=1e-2)
    assert float(lost) == pytest.approx(float(before - score), abs=float(0.06 * abs(before - score)) + 2e-3)
    assert cells.row(plain)[place + 1] == ""
    assert cells.scored([rounded]) == len(rounded.measurement.scores.values) == len(rounded.measurement.outputs)


def test_a_classifier_is_shown_by_its_accuracy(bench):
    cell = bench.compressed("tiny", "float32@onnx")
    place = 1 + cells.COLUMNS.index("right")
    assert cells.row(cell)[place] == f"{100 * np.mean(cell.measurement.outcomes.correct):.2f}%"
    assert cells.scored([cell]) == len(cell.measurement.outcomes.correct)


@pytest.mark.parametrize("width", [100, 120, 140, 160, 400])
def test_as_many_columns_are_shown_as_a_line_has_room_for(width):
    rows = [("prune(0.5) | int8", *["1,000,000"] * len(cells.COLUMNS)), ("int8", *["1"] * len(cells.COLUMNS))]
    shown = cells.fitting(rows, width)
    needed = len("prune(0.5) | int8") + shown * (len("1,000,000") + cells.GAP)
    assert needed <= width or shown == cells.NARROW
    assert shown == len(cells.COLUMNS) or needed + len("1,000,000") + cells.GAP > width


def test_a_long_recipe_takes_two_lines_before_it_takes_a_columns_place():
    numbers = ["1,000,000"] * len(cells.COLUMNS)
    assert cells.fitting([("x" * 90, *numbers)], 200) == cells.fitting([("x" * cells.LONGEST_RECIPE, *numbers)], 200)


def test_sizes_and_quality_are_shown_on_the_narrowest_line():
    assert cells.fitting([("x" * 90, *["1,000,000"] * len(cells.COLUMNS))], 80) == cells.NARROW
