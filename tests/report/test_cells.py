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
