"""Saxena et al. 2024, tables II to XII: latency, decided by arithmetic on the printed digits (audit S08, S12)."""

from __future__ import annotations

import pytest

from benches.saxena2024.printed import MODES, cells, exact, latency_ratios
from compress.claims.bound import at_least, between, exactly
from compress.claims.claim import claim


@claim("saxena2024/IV-C/distilbert-int8-time", at_least(42, why="s a query, Table VI: 42.39 (S08)"), kind="number")
def test_printed_int8_distilbert_takes_42_seconds():
    return cells("VI", "Average prediction time")[MODES["int8"]]


@claim(
    "saxena2024/table-II",
    "saxena2024/table-III",
    exactly(
        4, why="of 18 rows in which FPS x latency is off 1 by over half a percent: one of the two was misprinted (S03)"
    ),
    kind="refuted",
)
def test_printed_rows_whose_fps_is_not_the_inverse_of_their_latency():
    off = []
    for table in ("II", "III", "IV", "V", "X"):
        latency, fps = cells(table, "Inference Time" if table == "X" else "Latency"), cells(table, "FPS")
        seconds = 1e-3 if table == "X" else 1
        off += [f"{table} {row}" for row in fps if abs(fps[row] * latency[row] * seconds - 1) > 0.005]
    return exact(len(off), ", ".join(off))


@claim("saxena2024/VI-A/450x", at_least(450, why="Table VII 519.7, Table IV 454.6 (S08)"), kind="number")
def test_the_largest_printed_latency_ratio():
    return max(latency_ratios().values())


@claim(
    "saxena2024/VI-A/450x",
    between(112, 113, why="Table VI, which the text cites for it: 42.39 over 0.3762 s (S08)"),
    kind="refuted",
)
def test_the_printed_latency_ratio_of_the_table_cited():
    return latency_ratios()["VI", "int8"]


@claim(
    "saxena2024/VI-A/latency-higher",
    exactly(3, why="of 17 printed rows faster than the original: II and VII at float16, VI by dynamic range (S08)"),
    kind="refuted",
)
def test_printed_rows_in_which_the_quantized_model_is_faster():
    faster = [f"{table} {mode}" for (table, mode), ratio in latency_ratios().items() if ratio < 1]
    return exact(len(faster), ", ".join(faster))


@claim(
    "saxena2024/VI-A/int8-not-fastest",
    at_least(14, why="x the original's latency, the least of the printed int8 rows: Table II, 14.9 (S08)"),
    kind="number",
)
def test_the_smallest_printed_int8_latency_ratio():
    return min(ratio for (_, mode), ratio in latency_ratios().items() if mode == "int8")


@claim(
    "saxena2024/VI-B/no-latency-gain",
    at_least(1.4, why="speed-up printed in each of VIII, IX, XI, XII, 1.52 to 2.68: the text has seen none (S12)"),
    kind="refuted",
)
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("VIII", "Inference Time of Pruned Network"),
        ("IX", "Inference Time of Pruned Network"),
        ("XI", "Inference Time (per batch)"),
        ("XII", "Inference Time (per batch)"),
    ],
)
def test_printed_tables_do_show_a_latency_gain(table, column):
    times = list(cells(table, column).values())
    return times[0] / min(times[1:])
