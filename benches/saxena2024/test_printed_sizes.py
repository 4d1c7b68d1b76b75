"""Saxena et al. 2024, tables II to VII: sizes of quantized models, by arithmetic on the printed digits (S04, S07)."""

from __future__ import annotations

import pytest

from benches.saxena2024.printed import CLASSIFIERS, MODES, ORIGINAL, QUALITY, cells, size_ratio
from compress.claims.bound import at_least, at_most, between
from compress.claims.claim import claim


@claim(
    "saxena2024/III-A/dynamic-range-size",
    "saxena2024/VI-A/dynamic-range-quarter",
    between(3.7, 4.2, why="tables II to VII print 3.73 to 4.17; above 4 the baseline is heavier than weights (S04)"),
    kind="number",
)
@pytest.mark.parametrize("table", QUALITY)
def test_printed_size_ratio_of_dynamic_range(table):
    return size_ratio(table, "dynamic")


@claim(
    "saxena2024/VI-A/float16-half",
    between(2.0, 2.1, why="tables II to VII print 2.01 to 2.09 (S04)"),
    kind="number",
)
@pytest.mark.parametrize("table", QUALITY)
def test_printed_size_ratio_of_float16(table):
    return size_ratio(table, "float16")


@claim(
    "saxena2024/VI-C/size-expectation",
    "saxena2024-abstract/2x-4x",
    at_most(
        1.1,
        why="int8 Faster R-CNN, Table V: 1.04, its weights stayed float; 2x to 4x do not always come (S04, S07)",
    ),
    kind="refuted",
)
def test_the_printed_int8_detector_did_not_shrink():
    return size_ratio("V", "int8")


@claim(
    "saxena2024-review/int8-4x",
    between(4.0, 4.2, why="Table IV prints 4.10, above 4: YOLO's baseline is heavier than its weights (S04)"),
    kind="refuted",
)
def test_the_largest_printed_int8_size_ratio():
    return max(size_ratio(table, "int8") for table in QUALITY)


@claim(
    "saxena2024/VII/size-reduced",
    at_least(1.03, why="the smallest of 18 printed ratios is 1.04 (FRCNN at int8)"),
    kind="number",
)
def test_every_printed_quantized_file_is_smaller():
    return min(size_ratio(table, mode) for table in QUALITY for mode in MODES)


@claim("saxena2024/IV-A/size-4x", between(3.6, 4, why="tables II and III: 3.73, 3.67, 3.96, 3.96 (S04)"), kind="number")
@pytest.mark.parametrize("table", CLASSIFIERS)
@pytest.mark.parametrize("mode", ["dynamic", "int8"])
def test_printed_classifiers_shrink_almost_fourfold(table, mode):
    return size_ratio(table, mode)


@claim("saxena2024/IV-A/size-2x", between(2, 2.1, why="tables II and III: 2.08 and 2.02 (S04)"), kind="number")
@pytest.mark.parametrize("table", CLASSIFIERS)
def test_printed_classifiers_shrink_to_half_at_float16(table):
    return size_ratio(table, "float16")


@claim("saxena2024/IV-B/frcnn-int8-size", between(4, 5, why="MB, Table V: 121.4 - 117 (S07)"), kind="number")
def test_printed_megabytes_that_int8_takes_from_faster_rcnn():
    sizes = cells("V", "Size")
    return sizes[ORIGINAL] - sizes[MODES["int8"]]


@claim("saxena2024/IV-C/distilbert-size", between(3.9, 4, why="Table VI: 3.95 (S04)"), kind="number")
def test_printed_dynamic_range_distilbert_is_4x_smaller():
    return size_ratio("VI", "dynamic")


@claim("saxena2024/IV-C/distilbert-size", between(2, 2.1, why="Table VI: 2.01 (S04)"), kind="number")
def test_printed_float16_distilbert_is_2x_smaller():
    return size_ratio("VI", "float16")


@claim(
    "saxena2024/IV-B/frcnn-int8-size",
    between(0.98, 1.02, why="MB over 4 bytes of each of 29,155,455 weights, normalisations folded: 1.003 (S07)"),
    kind="number",
)
def test_the_printed_int8_faster_rcnn_holds_its_weights_in_float32():
    return cells("V", "Size")[MODES["int8"]] / (4 * 29_155_455 / 1e6)
