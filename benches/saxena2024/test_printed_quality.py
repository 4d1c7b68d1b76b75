"""Saxena et al. 2024, tables II to VII: quality of quantized models, decided by arithmetic on the printed digits.

Where a sentence and the paper's own table disagree, the bench asserts the table (audit S01 to S22).
"""

from __future__ import annotations

import math

import pytest
from scipy import stats

from benches.saxena2024.printed import CLASSIFIERS, MODES, ORIGINAL, QUALITY, cells, exact, loss_fraction
from compress.claims.bound import Estimate, at_least, at_most, between, exactly, is_true
from compress.claims.claim import claim


@claim(
    "saxena2024/IV-A/int8-drop",
    "saxena2024-review/75-percent",
    at_least(75, why="percent of the original accuracy: 84.0 and 75.6 (S05); n is 3,925 by S01"),
    kind="number",
)
@pytest.mark.parametrize("table", CLASSIFIERS)
def test_printed_int8_loss_relative_to_the_original(table):
    return 100 * loss_fraction(table, "int8")


@claim(
    "saxena2024/IV-A/int8-drop",
    "saxena2024-review/75-percent",
    between(66, 70, why="points of accuracy: 69.60 and 66.14, under the 75 that the basis left open could mean (S05)"),
    kind="refuted",
)
@pytest.mark.parametrize("table", CLASSIFIERS)
def test_printed_int8_loss_in_points(table):
    accuracy = cells(table, "Accuracy")
    return accuracy[ORIGINAL] - accuracy[MODES["int8"]]


@claim(
    "saxena2024/IV-A/small-margin",
    at_least(9, why="points that MobileNet loses, Table II: 11.33 by dynamic range and 9.65 by float16 (S06)"),
    kind="refuted",
)
@pytest.mark.parametrize("mode", ["dynamic", "float16"])
def test_printed_margin_of_mobilenet_is_not_small(mode):
    accuracy = cells("II", "Accuracy")
    return accuracy[ORIGINAL] - accuracy[MODES[mode]]


@claim(
    "saxena2024/III-A/float16-accuracy",
    exactly(3, why="tables in which float16 is worse than dynamic range: III as printed (but S02), V, VII (S06)"),
    kind="refuted",
)
def test_printed_tables_in_which_float16_loses_more_than_dynamic_range():
    worse = [table for table in QUALITY if loss_fraction(table, "float16") > loss_fraction(table, "dynamic")]
    return exact(len(worse), f"tables {', '.join(worse)}")


@claim("saxena2024/IV-B/frcnn-int8-error", is_true(why="Table V prints no mAP, latency or FPS for int8"), kind="number")
def test_printed_int8_detector_has_no_score():
    return all(MODES["int8"] not in cells("V", column) for column in ("mAp0.25", "Latency", "FPS"))


@claim("saxena2024/IV-B/yolo-minimal", at_most(5, why="percent of mAP, Table IV: 4.8 and 3.0 (S06)"), kind="number")
@pytest.mark.parametrize("mode", ["dynamic", "float16"])
def test_printed_yolo_loses_little(mode):
    return 100 * loss_fraction("IV", mode)


@claim("saxena2024/IV-B/yolo-int8-drop", at_least(45, why="percent of mAP, Table IV: 47.0 (S06)"), kind="number")
def test_printed_int8_yolo_loses_much():
    return 100 * loss_fraction("IV", "int8")


@claim(
    "saxena2024/IV-C/distilbert-int8-sample",
    at_least(0.4, why="exact match 0.01785 of 200 questions is 3.57 of them: 0.43 from a whole number (S09)"),
    kind="refuted",
)
def test_printed_int8_score_is_no_count_of_200_questions():
    right = 200 * cells("VI", "Exact Match")[MODES["int8"]]
    return abs(right - round(right))


@claim(
    "saxena2024/IV-C/distilbert-dynamic",
    at_most(1.6, why="percent, Table VI: F1 0.7, exact match 1.5 (S06)"),
    kind="number",
)
@pytest.mark.parametrize("metric", ["F1 Score", "Exact Match"])
def test_printed_dynamic_range_distilbert_loses_little(metric):
    scores = cells("VI", metric)
    return 100 * (1 - scores[MODES["dynamic"]] / scores[ORIGINAL])


@claim(
    "saxena2024/IV-C/distilbert-float16",
    at_most(0.0011, why="Table VI: F1 the same, exact match 0.0010 less"),
    kind="number",
)
@pytest.mark.parametrize("metric", ["F1 Score", "Exact Match"])
def test_printed_float16_distilbert_scores_the_same(metric):
    scores = cells("VI", metric)
    return scores[ORIGINAL] - scores[MODES["float16"]]


@claim(
    "saxena2024/IV-D/fid-minimal",
    at_most(11, why="percent, Table VII: 10.5 and 10.7, where int8 adds 147 (S10)"),
    kind="number",
)
@pytest.mark.parametrize("mode", ["dynamic", "float16"])
def test_printed_fid_rises_by_a_tenth(mode):
    return 100 * loss_fraction("VII", mode)


@claim("saxena2024/IV-D/fid-int8", at_least(100, why="percent, Table VII: 146.8 (S10)"), kind="number")
def test_printed_fid_more_than_doubles_at_int8():
    return 100 * loss_fraction("VII", "int8")


@claim(
    "saxena2024/VI-C/quantise-little-prune-much",
    at_least(
        47,
        why="percent that int8 loses at least (II, III, IV, VI); pruning classifiers loses 0.39 points at most (S20)",
    ),
    kind="refuted",
)
@pytest.mark.parametrize("table", ["II", "III", "IV", "VI"])
def test_printed_int8_costs_more_than_printed_pruning(table):
    return round(100 * loss_fraction(table, "int8"), 1)


@claim(
    "saxena2024/VII/bigger-is-safer",
    at_most(
        0,
        why="rank correlation of size and loss over the printed models: -0.3 and -0.5 of 6 and 5, far from sure (S21)",
    ),
    kind="trend",
)
@pytest.mark.parametrize("mode", ["dynamic", "int8"])
def test_printed_rank_correlation_of_size_and_loss(mode):
    tables = [table for table in QUALITY if MODES[mode] in cells(table, QUALITY[table][0])]
    sizes = [cells(table, "Size")[ORIGINAL] for table in tables]
    rho = float(stats.spearmanr(sizes, [loss_fraction(table, mode) for table in tables]).statistic)
    half = 1.645 * math.sqrt(1.06 / (len(tables) - 3))
    return Estimate(rho, math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half), n=len(tables))
