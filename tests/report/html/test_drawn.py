"""Tables and figures of stored runs, each once, and a word on those that cannot be shown."""

from pathlib import Path

import numpy as np
import pytest

from compress.claims.stored_run import StoredRun
from compress.measure.figure import Figure, Line
from compress.measure.histogram import histogram
from compress.measure.picture import picture
from compress.report.html.drawn import figures_of, tables_of

SIZES = {"title": "sizes", "columns": ["subject", "bytes"], "rows": [["tiny", "250"]]}


def run(number, **stored):
    return StoredRun(Path(f"{number:04}_x.json"), {"compress": {"scale": "embedded", **stored}})


def drawn(figure):
    ((found,), faults) = figures_of([run(1, figures=[figure.to_json()])])
    assert faults == []
    return found


def test_the_newest_table_of_a_title_is_shown():
    found, faults = tables_of([run(2, tables=[SIZES]), run(1, tables=[{**SIZES, "rows": []}, {**SIZES, "title": "b"}])])
    assert [(one.title, one.run, one.rows) for one in found] == [
        ("sizes", "0002", (("tiny", "250"),)),
        ("b", "0001", SIZES_ROWS),
    ]
    assert faults == []


SIZES_ROWS = (("tiny", "250"),)


def test_only_columns_of_numbers_end_alike():
    columns, rows = ["layer", "zeros", "drop"], [["a", "0.5%", "-"], ["1x1", "±3", "+0.1"]]
    ((table,), _) = tables_of([run(1, tables=[{"title": "t", "columns": columns, "rows": rows}])])
    assert table.numeric == (False, True, True)


@pytest.mark.parametrize(
    "damaged",
    [
        None,
        "sizes",
        {},
        {**SIZES, "columns": "ab"},
        {**SIZES, "rows": [["tiny"]]},
        {**SIZES, "rows": 3},
        {**SIZES, "rows": [1]},
    ],
)
def test_a_damaged_table_is_told_and_hides_no_other(damaged):
    found, faults = tables_of([run(7, tables=[damaged, SIZES])])
    assert [one.title for one in found] == ["sizes"]
    assert len(faults) == 1
    assert faults[0].startswith("run 0007: a stored table cannot be shown: ")


@pytest.mark.parametrize("damaged", [None, {}, {"title": "x", "kind": "picture", "series": {"a": {"png": "PHN2Zz4="}}}])
def test_a_damaged_figure_is_told_and_hides_no_other(damaged):
    whole = Figure("loss").add("a", Line([1], [2])).to_json()
    found, faults = figures_of([run(7, figures=[damaged, whole])])
    assert [one.title for one in found] == ["loss"]
    assert faults[0].startswith("run 0007: a stored figure cannot be shown: ")


def test_runs_of_older_versions_have_neither():
    assert tables_of([run(1), run(2, tables=None)]) == ([], [])
    assert figures_of([run(1), run(2, figures="none")]) == ([], [])


def test_lines_share_their_axes_and_their_numbers_stand_in_one_table():
    found = drawn(Figure("loss", "epoch", "loss").add("a", Line([1, 2], [0.5, 0.25])).add("b", Line([2, 3], [1, 0])))
    (chart,) = found.charts
    first, second = ([tuple(map(float, point.split(","))) for point in path.points.split()] for path in chart.paths)
    assert first[1][0] == second[0][0]
    assert second[0][1] < first[0][1] < first[1][1] < second[1][1]
    assert found.numbers.columns == ("epoch", "a", "b")
    assert found.numbers.rows == (("1", "0.5", ""), ("2", "0.25", "1"), ("3", "", "0"))


def test_histograms_stand_side_by_side_at_one_height():
    weights = np.array([-1, -0.5, 0.1, 0.1, 0.1, 0.1])
    figure = (
        Figure("weights").add("before", histogram(weights, 4, 1)).add("after", histogram([0, 0, 0, 0, 0.1, 0.1], 4, 1))
    )
    before, after = drawn(figure).charts
    assert [round(bar.height / before.bars[-1].height, 2) for bar in before.bars] == [0.25, 0.25, 1]
    assert [round(bar.height / before.bars[-1].height, 2) for bar in after.bars] == [0.5]
    assert drawn(figure).numbers.rows[1][:3] == ("after", "6", "66.7%")
    assert after.about == "2 values other than zero over 4 bins; 4 exact zeros."


def test_pictures_stand_in_the_page_itself():
    found = drawn(Figure("horses").add("real", picture(np.eye(3))))
    (image,) = found.images
    assert image.address.startswith("data:image/png;base64,iVBORw0KGgo")
    assert (image.width, image.height) == (3, 3)
