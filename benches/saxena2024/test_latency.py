"""Saxena et al. 2024, Table I, III-A, III-B, VI-A, VI-B and VII: latency, as ratios on this processor (audit S08, S22).

The paper saw int8 15 to 520 times slower on an Intel i9 and blamed the instruction set. One sample, one thread, each
file in a process of its own; limits are as wide as two processes differ, so that what is judged is of that size.
"""

from __future__ import annotations

import pytest

from benches.saxena2024.latency import latency_ratio, speed_ratio
from compress.claims.bound import at_least, at_most, between, is_true
from compress.claims.claim import claim, unmeasured

SUBJECTS = ["mnist_cnn", "lenet_300_100", "lenet_5"]
LENETS = ["lenet_300_100", "lenet_5"]
every_subject = pytest.mark.parametrize("subject", SUBJECTS)


def original(compressed, subject):
    return compressed(subject, "float32")


@claim(
    "saxena2024/VI-A/450x",
    "saxena2024/VI-A/latency-higher",
    "saxena2024/VII/i9-slower",
    at_most(
        5,
        why="15x to 520x slower in tables II to VII; here int8 has kernels of its own; reference kernels: 15x up",
    ),
    kind="refuted",
)
@every_subject
@pytest.mark.parametrize(
    "recipe", ["dynamic_range", "float16", "int8", "int8(engine=ai_edge)", "int8(granularity=tensor)"]
)
def test_quantized_files_are_nowhere_near_15x_slower(subject, recipe, compressed, report_table):
    ratio = latency_ratio(compressed(subject, recipe), original(compressed, subject))
    report_table(
        "latency of quantized files on this processor, over the float32 file's (paper: 0.28x to 520x)",
        ("subject", "recipe", "x latency", "limits", "median"),
    ).rows.append((subject, recipe, f"{ratio.value:.2f}", f"{ratio.low:.2f} .. {ratio.high:.2f}", ratio.note))
    return ratio


@claim(
    "saxena2024/VI-A/latency-higher",
    at_least(
        3, why="where a kernel is missing: int16x8 runs LiteRT's reference code, several times slower than float32"
    ),
    kind="trend",
)
@every_subject
def test_a_precision_without_kernels_is_much_slower(subject, compressed):
    return latency_ratio(compressed(subject, "int16x8"), original(compressed, subject))


@claim(
    "saxena2024/VI-A/int8-not-fastest",
    at_most(1, why="int8 is not faster than float32 on the i9; on lenets of 270k and 430k parameters it is, here"),
    kind="refuted",
)
@pytest.mark.parametrize("subject", LENETS)
def test_int8_is_faster_than_float32_from_250k_parameters(subject, compressed):
    return latency_ratio(compressed(subject, "int8"), original(compressed, subject))


@claim(
    "saxena2024/III-A/table-I-dynamic-range",
    "saxena2024/III-A/post-training-latency",
    at_least(1.5, why="2x to 3x as quoted; weights a quarter as large to read; 0.005x to 1.45x printed (S22)"),
    kind="trend",
)
@pytest.mark.parametrize("subject", LENETS)
def test_dynamic_range_is_faster_from_250k_parameters(subject, compressed):
    return speed_ratio(compressed(subject, "dynamic_range"), original(compressed, subject))


@claim(
    "saxena2024/III-A/table-I-int8",
    at_least(
        1.5, why="3x and more as quoted; 6x where all is dense, 2.4x with convolutions; 0.0019x to 0.067x printed (S22)"
    ),
    kind="trend",
)
@pytest.mark.parametrize("subject", LENETS)
def test_int8_is_half_as_fast_again_at_least(subject, compressed):
    return speed_ratio(compressed(subject, "int8"), original(compressed, subject))


@claim(
    "saxena2024/III-A/table-I-int8",
    at_least(3, why="3x and more as quoted, on the all-dense network, where int8 reads a quarter of the bytes"),
    kind="trend",
)
def test_int8_is_three_times_faster_where_all_is_dense(compressed):
    return speed_ratio(compressed("lenet_300_100", "int8"), original(compressed, "lenet_300_100"))


@claim(
    "saxena2024/III-A/float16-speed",
    is_true(why="without a GPU delegate the file runs float32's operations behind DEQUANTIZE: nothing could be faster"),
    kind="refuted",
)
@every_subject
@pytest.mark.parametrize("recipe", ["float16", "float16(engine=ai_edge)"])
def test_float16_runs_the_float32_operations_on_a_processor(subject, recipe, compressed):
    operations = dict(compressed(subject, recipe).measurement.values["ops"])
    return operations.pop("DEQUANTIZE", 0) > 0 and operations == original(compressed, subject).measurement.values["ops"]


@claim(
    "saxena2024/III-A/float16-speed",
    at_most(2.2, why="no delegate, no gain: 1 within what two processes differ; Table II has 3.5x"),
    kind="refuted",
)
@every_subject
def test_float16_is_no_faster_on_a_processor(subject, compressed):
    return speed_ratio(compressed(subject, "float16"), original(compressed, subject))


DENSE_KERNELS = between(
    0.4, 2.5, why="dense kernels multiply zeros too: 1, as far as two processes agree; 0.2 if skipped"
)


@claim("saxena2024/III-B/sparse-latency", DENSE_KERNELS, kind="refuted")
@claim("saxena2024/VI-B/no-latency-gain", "saxena2024-abstract/latency", DENSE_KERNELS, kind="trend")
@every_subject
def test_zeros_bring_no_speed_to_dense_kernels(subject, compressed):
    return latency_ratio(compressed(subject, "prune(0.8)"), original(compressed, subject))


@claim(
    "saxena2024/III-B/sparse-latency",
    is_true(why="the pruned file has the dense one's operations and no index of zeros, so none can be skipped"),
    kind="refuted",
)
@every_subject
def test_a_pruned_file_holds_nothing_to_skip_zeros_by(subject, compressed):
    pruned, dense = compressed(subject, "prune(0.8)"), original(compressed, subject)
    return pruned.measurement.values["ops"] == dense.measurement.values["ops"] and pruned.value("index_bytes") == 0


@claim(
    "saxena2024/III-A/dynamic-range-target",
    "saxena2024/III-A/int8-target",
    "saxena2024/VI-A/isa-cause",
    "saxena2024/VI-C/edge-integer",
    "saxena2024/VII/arm-best",
    is_true(why="the paper says so of processors that are not here"),
    kind="trend",
)
def test_other_processors_favour_quantized_files():
    unmeasured(
        "needs an ARM board, an Edge TPU, a microcontroller or a GPU: run the benches there, compare the ledgers"
    )


@claim(
    "saxena2024/VI-A/tf-version",
    is_true(why="sizes are said to shift by a few MB from one TensorFlow version to another"),
    kind="trend",
)
def test_tensorflow_versions_shift_sizes():
    unmeasured(
        "needs a second TensorFlow: run the benches in two environments on one ledger, whose gate shows each byte"
    )
