"""Every subject and recipe of the digit classifiers is measured, and so stands under the gate, claimed from or not."""

from __future__ import annotations

import pytest

LITERT = ["float32", "dynamic_range", "float16", "int8", "int16x8"]
VARIANTS = [
    *LITERT,
    *(f"{one}(engine=ai_edge)" for one in LITERT[1:]),
    "int8(granularity=tensor)",
    *(f"{one}@onnx" for one in LITERT),
    "int8(granularity=tensor)@onnx",
    "float32@keras",
    "checkpoint@keras",
]
PRUNED = ["retrain", "prune(0.8)", "prune(0.8) | int8", "prune(0.8) | int8@onnx", "prune(0.8)@keras"]
TOOLKIT = ["tfmot_prune(0.8)", "qat | int8", "cluster(32, epochs=1)"]


@pytest.mark.parametrize("recipe", [*VARIANTS, *PRUNED, *TOOLKIT])
@pytest.mark.parametrize("subject", ["mnist_cnn", "lenet_300_100", "lenet_5"])
def test_every_cell_is_measured_and_gated(subject, recipe, compressed):
    cell = compressed(subject, recipe)
    assert cell.raw_bytes == sum(part.bytes for part in cell.parts)
