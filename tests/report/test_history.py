"""A history says what a metric was in every run, and what a change came with."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.claims.ledger import StoredRun
from compress.errors import LedgerError
from compress.report.history import BARS, PLAIN_BARS, find_cell, find_metric, of_cell, of_metric, over_cells, sparkline


def run(number, status="green", cells=None, *, name="tiny: int8", **values):
    compress = {"status": status, "cells": cells or {name: {"values": values}}, "fingerprint": {"cpu": "A"}}
    document = {"datetime": "2026-11-22T00:11:22.3+00:00", "commit_info": {"id": "0123456789ab"}, "compress": compress}
    return StoredRun(Path(f"{number:04}_x.json"), document)


def test_each_run_is_a_line_with_its_value_and_the_change_against_the_run_before():
    lines = of_metric(
        [run(1, raw_bytes=20_000), run(2, "red", raw_bytes=25_000), run(3, raw_bytes=25_000)], "tiny: int8", "raw_bytes"
    )
    assert lines[0] == "tiny: int8, raw_bytes: size of the file, bytes"
    assert [line.split()[::5] for line in lines[2:5]] == [["0001"], ["0002", "+25.00%"], ["0003", "="]]
    assert [line.split()[1] for line in lines[2:5]] == ["green", "red", "green"]
    assert lines[3].split() == ["0002", "red", "2026-11-22T00:11:22", "0123456789", "25,000", "+25.00%"]
    assert lines[5:] == ["▁██  lowest 20,000, highest 25,000"]


@pytest.mark.parametrize(
    ("metric", "old", "new", "shown", "change"),
    [
        ("latency_s", 1e-5, 1.25e-5, "12.5 µs", "+25.00%"),
        ("load_time_s", 0.5, 0.25, "250 ms", "-50.00%"),
        ("compress_time_s", 2.0, 3.0, "3 s", "+50.00%"),
        ("accuracy", 0.98, 0.97, "97.00%", "-1.00 points"),
        ("output_sqnr_db", 43.6, 40.1, "40.1", "-3.5 dB"),
        ("index_bytes", 0, 5, "5", "changed"),
        ("a_metric_of_another_version", 2, 3, "3", "+50.00%"),
        ("accuracy", 0.98, math.nan, "nan", "changed"),
    ],
)
def test_values_and_changes_are_in_the_unit_of_the_metric(metric, old, new, shown, change):
    last = of_metric([run(1, **{metric: old}), run(2, **{metric: new})], "tiny: int8", metric)[3]
    assert last.split("0123456789")[1].split() == [*shown.split(), *change.split()]


def test_a_count_by_kind_names_the_kinds_that_changed():
    lines = of_metric([run(1, ops={"ADD": 2, "MUL": 1}), run(2, ops={"ADD": 2, "DIV": 3})], "tiny: int8", "ops")
    assert lines[3].split()[4:] == ["5", "changed"]
    assert [line.strip() for line in lines[4:6]] == ["DIV: None -> 3", "MUL: 1 -> None"]


def test_an_acceptance_stands_below_its_run_with_its_reason():
    first, second = run(1, "red", raw_bytes=1), run(2, raw_bytes=1)
    one = {"reason": "worth it", "when": "2026-11-23T01:02:03+00:00"}
    first.compress["accepted"] = one
    assert of_metric([first, second], "tiny: int8", "raw_bytes")[3] == "      accepted 2026-11-23: worth it"
    assert of_metric([first, second], "tiny: int8", "raw_bytes")[2].split()[1] == "accepted"


def test_an_acceptance_of_other_cells_is_not_told_of_this_one():
    first = run(1, "red", cells={name: {"values": {"raw_bytes": 1}} for name in ("a", "b")})
    first.compress["accepted"] = [
        {"reason": "for a", "when": "2026-11-23", "who": "x", "cells": ["a"]},
        {"reason": "for all", "when": "2026-11-24", "who": "x", "cells": "all"},
    ]
    assert [line.strip() for line in of_metric([first], "b", "raw_bytes")[3:-1]] == [
        "accepted 2026-11-24 by x: for all"
    ]
    assert len(of_metric([first], "a", "raw_bytes")) == 6


def test_a_change_of_machine_is_told_where_it_happened():
    first, second = run(1, latency_s=1e-5), run(2, latency_s=2e-5)
    second.compress["fingerprint"] = {"cpu": "B"}
    lines = of_metric([first, second], "tiny: int8", "latency_s")
    assert lines[4].strip() == "other machine or software than the run before: cpu: A -> B"


def test_a_cell_is_summed_up_with_a_line_for_each_of_its_metrics():
    runs = [run(1, raw_bytes=100, accuracy=0.9), run(2, name="other", raw_bytes=7, sparsity=0.5), run(3, raw_bytes=150)]
    lines = of_cell(runs, "tiny: int8")
    assert [line.split() for line in lines[2:]] == [
        ["raw_bytes", "2", "100", "150", "+50.00%", "▁█"],
        ["accuracy", "1", "90.00%", "90.00%", "▁"],
    ]


def test_a_metric_is_summed_up_with_a_line_for_each_cell_that_has_it():
    runs = [run(1, name="b", raw_bytes=100), run(2, name="a", raw_bytes=7), run(3, name="c", sparsity=0.5)]
    assert [line.split()[0] for line in over_cells(runs, "raw_bytes")[2:]] == ["a", "b"]


def test_a_part_of_a_name_will_do_where_it_is_of_one_cell_only():
    runs = [run(1, name="lenet: int8"), run(2, name="lenet: int8@onnx"), run(3, name="mnist: float32")]
    assert find_cell(runs, "FLOAT") == "mnist: float32"
    assert find_cell(runs, "lenet: int8") == "lenet: int8"
    with pytest.raises(
        LedgerError, match="'lenet' is a part of 2 cells: 'lenet: int8', 'lenet: int8@onnx'; write more"
    ):
        find_cell(runs, "lenet")


def test_an_unknown_name_lists_those_like_it():
    runs = [run(1, name="lenet: int8", latency_s=1.0, raw_bytes=1)]
    with pytest.raises(LedgerError, match=r"no cell 'lenet: in8' in the stored runs; did you mean 'lenet: int8'\?"):
        find_cell(runs, "lenet: in8")
    with pytest.raises(LedgerError, match=r"did you mean 'latency_s'\?"):
        find_metric(runs, "latencies")
    with pytest.raises(LedgerError, match="no metric 'zzz' in the stored runs; there are 'raw_bytes', 'latency_s'"):
        find_metric(runs, "zzz")


def test_a_metric_that_the_cell_never_had_is_an_error_that_lists_what_it_has():
    runs = [run(1, raw_bytes=1), run(2, name="other", sparsity=0.5)]
    with pytest.raises(LedgerError, match="no stored run has sparsity of tiny: int8; there are raw_bytes"):
        of_metric(runs, "tiny: int8", "sparsity")


@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=30), st.booleans())
def test_a_sparkline_rises_and_falls_with_its_numbers(numbers, plain):
    bars = PLAIN_BARS if plain else BARS
    heights = [bars.index(bar) for bar in sparkline(numbers, plain=plain)]
    for i, one in enumerate(numbers):
        for j, other in enumerate(numbers):
            assert one > other or heights[i] <= heights[j]
    if max(numbers) > min(numbers):
        assert (min(heights), max(heights)) == (0, len(bars) - 1)


def test_a_sparkline_leaves_out_what_is_no_number():
    assert sparkline([1.0, math.nan, 2.0, math.inf]) == "▁ █ "
    assert sparkline([math.nan]) == " "
    assert sparkline([3.0, 3.0]) == "▁▁"
