"""Trainings and pictures of stored cells, each once, and a word on those that cannot be shown."""

from pathlib import Path

import numpy as np
import pytest

from compress.claims.stored_run import StoredRun
from compress.curve import Curve
from compress.measure.sample_pictures import sample_pictures, to_json
from compress.report.html import of_cells
from compress.report.html.of_cells import pictures, trainings

LOSS = Curve("loss", "epochs", (1, 2), (0.5, 0.25), "prune(0.9)")
ZEROS = Curve("zeros", "epochs", (2,), (90,), "prune(0.9)")
CHANNELS = Curve("channels left", "choices", (0, 1, 1), (9, 8, 7), "channels(0.5)")
AGAIN = Curve("loss", "epochs", (1,), (0.125,), "channels(0.5)")
X = np.random.default_rng(0).random((2, 4, 4, 3))
STRIPS = to_json(sample_pictures(X, X, {"int8": X}))


def run(number, scale="embedded", **cells):
    stored = {name.replace("_", ": ", 1): {"values": {}, **cell} for name, cell in cells.items()}
    return StoredRun(Path(f"{number:04}_x.json"), {"compress": {"scale": scale, "cells": stored}})


def curves(*found):
    return {"curves": [one.to_json() for one in found]}


def test_files_of_one_training_share_its_figure():
    older = run(1, a_prune=curves(LOSS), a_int8=curves(ZEROS), b_x=curves(LOSS))
    newer = run(2, **{"a_prune | int8": curves(LOSS), "a_prune": curves(LOSS), "a_float32": curves()})
    found, faults = trainings([newer, older])
    assert faults == []
    assert [(one.subject, one.scale, [each.title for each in one.figures]) for one in found] == [
        ("a", "embedded", ["a: int8", "a: prune"]),
        ("b", "embedded", ["b: x"]),
    ]
    assert (found[0].figures[1].note, found[0].figures[1].run) == ("Of prune | int8 too.", "0002")


def test_the_same_cell_at_another_scale_is_another():
    found, _ = trainings([run(2, "paper", a_x=curves(LOSS)), run(1, a_x=curves(LOSS))])
    assert [(one.subject, one.scale) for one in found] == [("a", "embedded"), ("a", "paper")]


def test_each_curve_has_a_chart_and_all_share_one_table():
    ((one,), _) = trainings([run(1, a_x=curves(LOSS, ZEROS, CHANNELS, AGAIN))])
    (drawn,) = one.figures
    assert [chart.title for chart in drawn.charts] == [
        "loss, prune(0.9)",
        "zeros, prune(0.9)",
        "channels left, channels(0.5)",
        "loss, channels(0.5)",
    ]
    assert [(chart.x_label, chart.y_label) for chart in drawn.charts[1:3]] == [
        ("epochs", "zeros"),
        ("choices", "channels left"),
    ]
    assert drawn.numbers.columns == ("step", "over", "at", "loss", "zeros", "channels left")
    assert drawn.numbers.rows == (
        ("prune(0.9)", "epochs", "1", "0.5", "", ""),
        ("prune(0.9)", "epochs", "2", "0.25", "90", ""),
        ("channels(0.5)", "choices", "0", "", "", "9"),
        ("channels(0.5)", "choices", "1", "", "", "8"),
        ("channels(0.5)", "choices", "1", "", "", "7"),
        ("channels(0.5)", "epochs", "1", "0.125", "", ""),
    )


def test_pictures_stand_beside_each_other_with_how_alike_they_are():
    cell = {"pictures": STRIPS, "values": {"psnr_db": 31.25, "accuracy": 0.5, "mse": "damaged"}}
    ((one,), faults) = pictures([run(1, a_int8=cell, a_float32={"pictures": {}})])
    (drawn,) = one.figures
    assert faults == []
    assert [image.name for image in drawn.images] == ["input", "float32", "int8"]
    assert all(image.address.startswith("data:image/png;base64,iVBORw0KGgo") for image in drawn.images)
    assert drawn.numbers.rows[-2:] == (("int8, pixels", "4 x 9"), ("psnr_db, against float32", "31.25 dB"))


def test_a_page_holds_so_many_pictures_and_says_what_it_leaves_out(monkeypatch):
    monkeypatch.setattr(of_cells, "MOST_PICTURE_BYTES", 1.5 * len("".join(STRIPS.values())))
    (one,), faults = pictures([run(1, a_int8={"pictures": STRIPS}, a_x={"pictures": STRIPS}, a_y={"pictures": STRIPS})])
    assert len(one.figures) == 1
    assert faults == ["the pictures of 2 more cells are left out, so that the page stays small"]


@pytest.mark.parametrize("damaged", [[None], [{}], [{**LOSS.to_json(), "x": list(range(999)), "y": [1] * 999}]])
def test_a_damaged_training_is_told_and_hides_no_other(damaged):
    found, faults = trainings([run(7, a_x={"curves": damaged}, a_y=curves(LOSS))])
    assert [each.title for one in found for each in one.figures] == ["a: y"]
    assert len(faults) == 1
    assert faults[0].startswith("run 0007: the training of a: x cannot be shown: ")


@pytest.mark.parametrize("damaged", ["x", {"a": "PHN2Zz4="}, {"a": None}])
def test_damaged_pictures_are_told_and_hide_no_others(damaged):
    found, faults = pictures([run(7, a_x={"pictures": damaged}, a_y={"pictures": STRIPS})])
    assert [each.title for one in found for each in one.figures] == ["a: y"]
    assert faults[0].startswith("run 0007: the pictures of a: x cannot be shown: ")


@pytest.mark.parametrize("older", [{}, {"curves": None}, {"curves": "none", "pictures": None}])
def test_runs_of_older_versions_have_neither(older):
    assert trainings([run(1, a_x=older)]) == ([], [])
    assert pictures([run(1, a_x=older)]) == ([], [])
