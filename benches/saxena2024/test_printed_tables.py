"""Saxena et al. 2024, sections IV to VII, decided by arithmetic on the tables as printed: nothing is trained here.

Where a sentence and the paper's own table disagree, the bench asserts the table (audit S01 to S22).
"""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import pytest
from scipy import stats

from compress.claims.bound import Estimate, at_least, at_most, between, exactly, is_true
from compress.claims.claim import claim
from compress.claims.paper import Paper, load_paper

QUALITY = {
    "II": ("Accuracy", "Latency"),
    "III": ("Accuracy", "Latency"),
    "IV": ("mAp0.25", "Latency"),
    "V": ("mAp0.25", "Latency"),
    "VI": ("F1 Score", "Average prediction time"),
    "VII": ("Average PID Score", "Average Prediction Time"),
}
"""The quantization tables and their columns of quality and latency."""

MODES = {"dynamic": "Dynamic Range Quantized", "float16": "Float16 Quantized", "int8": "Int8 Quantized"}
ORIGINAL = "Original Model"
CLASSIFIERS = ["II", "III"]


@cache
def paper() -> Paper:
    return load_paper(Path(__file__).parent / "paper.toml")


def cells(table: str, column: str) -> dict[object, float]:
    """Return a column's numbers by the table's first cell; cells that hold none are left out."""
    found = paper().table(f"saxena2024/table-{table}")
    numbers = (
        (key, number(cell)) for key, cell in zip(found.column(found.columns[0]), found.column(column), strict=True)
    )
    return {key: value for key, value in numbers if not math.isnan(value)}


def number(cell: object) -> float:
    """Return the number that a cell begins with: ``"0.0475 (200 data points)" -> 0.0475``, ``"-" -> nan``."""
    try:
        return float(str(cell).split()[0])
    except ValueError:
        return math.nan


def size_ratio(table: str, mode: str) -> float:
    sizes = cells(table, "Size")
    return sizes[ORIGINAL] / sizes[MODES[mode]]


def latency_ratios() -> dict[tuple[str, str], float]:
    """Return latency of the quantized rows over the original's, by table and mode; a model that failed has none."""
    found = {}
    for table, (_, column) in QUALITY.items():
        latency = cells(table, column)
        found.update({(table, mode): latency[row] / latency[ORIGINAL] for mode, row in MODES.items() if row in latency})
    return found


def loss_fraction(table: str, mode: str) -> float:
    """Return the quality lost, as a fraction of the original's; of FID, lower is better."""
    quality = cells(table, QUALITY[table][0])
    change = quality[MODES[mode]] / quality[ORIGINAL] - 1
    return change if table == "VII" else -change


def exact(value: float, note: str) -> Estimate:
    return Estimate(value, value, value, note=note)


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


@claim("saxena2024/IV-B/frcnn-int8-size", between(4, 5, why="MB, Table V: 121.4 - 117 (S07)"), kind="number")
def test_printed_megabytes_that_int8_takes_from_faster_rcnn():
    sizes = cells("V", "Size")
    return sizes[ORIGINAL] - sizes[MODES["int8"]]


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


@claim("saxena2024/IV-C/distilbert-size", between(3.9, 4, why="Table VI: 3.95 (S04)"), kind="number")
def test_printed_dynamic_range_distilbert_is_4x_smaller():
    return size_ratio("VI", "dynamic")


@claim("saxena2024/IV-C/distilbert-size", between(2, 2.1, why="Table VI: 2.01 (S04)"), kind="number")
def test_printed_float16_distilbert_is_2x_smaller():
    return size_ratio("VI", "float16")


@claim("saxena2024/IV-C/distilbert-int8-time", at_least(42, why="s a query, Table VI: 42.39 (S08)"), kind="number")
def test_printed_int8_distilbert_takes_42_seconds():
    return cells("VI", "Average prediction time")[MODES["int8"]]


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


PRUNED_CLASSIFIERS = {"MobileNetV2": "VIII", "ResNet50": "IX"}


def printed_gain(network: str, sparsity: int) -> float:
    accuracy = cells(PRUNED_CLASSIFIERS[network], "Performance of Pruned Network")
    return accuracy[sparsity] - accuracy[0]


@claim(
    "saxena2024/V-A/gain",
    at_least(2.8, why="points at 60 and 75 %, tables VIII, IX; no dense control (S12)"),
    kind="number",
)
@pytest.mark.parametrize("network", PRUNED_CLASSIFIERS)
@pytest.mark.parametrize("sparsity", [60, 75])
def test_printed_classifiers_gain_when_pruned(network, sparsity):
    return printed_gain(network, sparsity)


@claim(
    "saxena2024-review/prune-75",
    at_least(0, why="points at 75 %: +4.61 and +8.15; no dense control (R04, S12)"),
    kind="number",
)
@pytest.mark.parametrize("network", PRUNED_CLASSIFIERS)
def test_printed_classifiers_stand_75_percent(network):
    return printed_gain(network, 75)


@claim(
    "saxena2024/V-A/mobilenet-90-drop",
    between(-0.4, -0.3, why="points, Table VIII: 84.88 - 85.27 (S12)"),
    kind="number",
)
def test_printed_mobilenet_loses_at_90_percent():
    return printed_gain("MobileNetV2", 90)


@claim(
    "saxena2024/VI-B/unstructured-size",
    "saxena2024/VII/toolkit-no-size-claim",
    exactly(0, why="Mb between 60, 75 and 90 %, tables VIII and IX: what left with pruning was the optimizer (S11)"),
    kind="number",
)
@pytest.mark.parametrize("network", PRUNED_CLASSIFIERS)
def test_printed_sizes_do_not_depend_on_sparsity(network):
    sizes = [
        size for sparsity, size in cells(PRUNED_CLASSIFIERS[network], "Size of Pruned Network").items() if sparsity
    ]
    return max(sizes) - min(sizes)


@claim(
    "saxena2024/VI-B/unstructured-size",
    between(2.9, 3, why="27 / 9.2 and 271 / 91: weights and two Adam slots over weights are 2.97 and 2.995 (S11)"),
    kind="number",
)
@pytest.mark.parametrize("network", PRUNED_CLASSIFIERS)
def test_the_printed_cut_at_60_percent_is_that_of_dropped_optimizer_slots(network):
    sizes = cells(PRUNED_CLASSIFIERS[network], "Size of Pruned Network")
    return sizes[0] / sizes[60]


@claim(
    "saxena2024/V-B/yolo-drop",
    at_least(75, why="percent of mAP, Table X: 76.1 and 77.7; no control (S13)"),
    kind="number",
)
@pytest.mark.parametrize("sparsity", [60, 80])
def test_printed_pruned_yolo_loses_its_map(sparsity):
    scores = cells("X", "MAP@0.25")
    return 100 * (1 - scores[sparsity] / scores[0])


@claim("saxena2024/V-B/yolo-latency", between(10, 16, why="percent, Table X: 15.2 and 12.5 (S13)"), kind="number")
@pytest.mark.parametrize("sparsity", [60, 80])
def test_printed_pruned_yolo_is_slightly_slower(sparsity):
    times = cells("X", "Inference Time")
    return 100 * (times[sparsity] / times[0] - 1)


@claim("saxena2024/V-B/yolo-size", exactly(0, why="Mb between the rows of Table X: 259 in each (S11)"), kind="number")
def test_printed_pruned_yolo_keeps_its_size():
    sizes = cells("X", "Size").values()
    return max(sizes) - min(sizes)


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


def megabytes(table: str) -> list[float]:
    """Return the printed sizes of table XI or XII in MB, Gb counted as a thousand."""
    sizes = list(cells(table, "Size of N/W").values())
    return [1000 * sizes[0], *sizes[1:]] if table == "XI" else sizes


@claim(
    "saxena2024/VI-B/structured-size",
    at_most(
        0.95, why="largest pruned file over the unpruned one, printed: 0.87 (XI) and 0.92 (XII); units differ (S14)"
    ),
    kind="number",
)
@pytest.mark.parametrize("table", ["XI", "XII"])
def test_printed_structured_pruning_shrinks_the_file(table):
    sizes = megabytes(table)
    return max(sizes[1:]) / sizes[0]


@claim(
    "saxena2024-review/half-parameters",
    at_most(22, why="percent, the largest printed cut: 21.5 (XI, really 18.7) and 12.5 (XII): not 50 (R02, S14, S16)"),
    kind="refuted",
)
@pytest.mark.parametrize("table", ["XI", "XII"])
def test_the_largest_printed_cut_by_structured_pruning(table):
    sizes = megabytes(table)
    return 100 * (1 - min(sizes[1:]) / sizes[0])


@claim("saxena2024/V-C/xlmr-2048-8", at_most(0.5, why="points lost at (2048,8), Table XI: 0.45 (S15)"), kind="number")
def test_printed_xlmr_at_2048_8_keeps_its_accuracy():
    accuracy = cells("XI", "Accuracy")
    return accuracy["(3072,12)"] - accuracy["(2048,8)"]


@claim("saxena2024/V-C/xlmr-2048-8", at_least(1.5, why="times faster, Table XI: 2.106 over 1.385 s"), kind="number")
def test_printed_xlmr_at_2048_8_is_faster():
    times = cells("XI", "Inference Time (per batch)")
    return times["(3072,12)"] / times["(2048,8)"]


@claim("saxena2024/V-C/xlmr-further", at_least(9, why="points lost, Table XI: 9.5 and 46.6 (S15)"), kind="number")
@pytest.mark.parametrize("shape", ["(1024,6)", "(512,12)"])
def test_printed_xlmr_pruned_further_loses_much(shape):
    accuracy = cells("XI", "Accuracy")
    return accuracy["(3072,12)"] - accuracy[shape]


@claim(
    "saxena2024/V-C/gpt2-90", between(-0.5, 0.5, why="percent, Table XIII, 90 %: -0.42 to +0.04 (S17)"), kind="number"
)
@pytest.mark.parametrize("metric", ["BLEU", "NIST", "METEOR", "ROUGE_L", "CIDEr"])
def test_printed_gpt2_at_90_percent_scores_alike(metric):
    scores = cells("XIII", metric)
    return 100 * (scores[90] / scores[0] - 1)


@claim(
    "saxena2024/V-C/lora-module-size",
    at_most(
        1, why="bytes a trainable parameter, Table XIV: 0.40 and 0.98; float32 takes 4, so the sizes are 10x off (S18)"
    ),
    kind="refuted",
)
@pytest.mark.parametrize("rank", ["r=4", "r=64"])
def test_printed_adapters_weigh_too_little_for_their_parameters(rank):
    return cells("XIV", "Size of Low Rank Module")[rank] * 1e3 / (cells("XIV", "Trainable Parameters")[rank] * 1e6)


LANGUAGE_MODELS = {"Flan-T5": "XV", "Falcon": "XVI", "LLaMA-2": "XVII"}


@claim(
    "saxena2024/V-C/llm-4bit-comparable",
    at_least(-1.5, why="percent, the largest loss of six scores at 4 bits; Flan-T5 gains 16 to 94, so not alike (S19)"),
    kind="number",
)
@pytest.mark.parametrize("model", LANGUAGE_MODELS)
def test_printed_4_bit_models_score_no_lower(model):
    original, quantized = (cells(LANGUAGE_MODELS[model], column) for column in ("Original", "4Bit"))
    return min(100 * (quantized[metric] / original[metric] - 1) for metric in list(original)[1:])


@claim(
    "saxena2024/V-C/llm-lora-best",
    exactly(2, why="of 18 scores in which LoRA does not lead: Flan-T5's BLEU (equal) and METEOR (lower) (S19)"),
    kind="refuted",
)
def test_printed_scores_in_which_lora_does_not_lead():
    behind = [
        f"{model} {metric}"
        for model, table in LANGUAGE_MODELS.items()
        for metric, score in list(cells(table, "LoRA").items())[1:]
        if score <= max(cells(table, "Original")[metric], cells(table, "4Bit")[metric])
    ]
    return exact(len(behind), ", ".join(behind))


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
