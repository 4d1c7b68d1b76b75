"""Ishtiaq et al. 2021, sections I and II and the set-up of III: what our digit classifiers can decide of them."""

from __future__ import annotations

import json

import pytest

from benches.ishtiaq2021.grid import control, recipe
from compress.claims.bound import at_least, at_most, between, exactly, is_true
from compress.claims.claim import claim, unmeasured
from compress.recipe import Recipe
from fixtures.trained import WEIGHTS

LENETS = ["lenet_300_100", "lenet_5"]
SUBJECTS = ["mnist_cnn", *LENETS]


@claim(
    "ishtiaq2021/III/setup-epochs",
    is_true(why="III: 12 epochs, batch 128, pruning from 50 %; not done: 30 % held out, retraining after quantization"),
    kind="number",
)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_training_and_retraining_are_the_papers(subject, compressed):
    dense = json.loads((WEIGHTS / f"{subject}.json").read_text())
    again = compressed(subject, "float32").subject.training
    pruning = Recipe.parse(recipe(0.9, 8)).transforms[0]
    trained = (dense["epochs"], dense["batch_size"], again.epochs, again.batch_size)
    return trained == (12, 128, 12, 128) and pruning.initial_sparsity == 0.5 and pruning.epochs is None


@claim(
    "ishtiaq2021/I/precision-4x",
    at_most(4, why="a quarter of the bits, scales on top: 4 is out of reach in one container (I03)"),
)
@claim(
    "ishtiaq2021/I/precision-4x",
    at_least(3.3, why="fourfold less scales and graph, most of them in the smallest network; float32 left in gives 1"),
)
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("export", ["dynamic_range", "int8", "int8@onnx"])
def test_eight_bits_save_up_to_fourfold(subject, export, compressed):
    return compressed(subject, export).size_ratio


@claim(
    "ishtiaq2021/I/precision-4x",
    between(1.95, 2, why="half the bits; the graph and its DEQUANTIZE operations weigh 2 % of the smallest network"),
)
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("export", ["float16", "float16@onnx"])
def test_sixteen_bits_save_twofold(subject, export, compressed):
    return compressed(subject, export).size_ratio


@claim(
    "ishtiaq2021/II/accuracy-8-fixed",
    at_most(0.5, why="little, on the networks and digits of Hashemi et al.; n=3,000 leaves 0.25 points open"),
    kind="trend",
)
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("export", ["int8", "int8@onnx"])
def test_eight_bit_integers_lose_little(subject, export, compressed):
    return compressed(subject, export).accuracy_drop


@claim(
    "ishtiaq2021/II/deep-compression-3-percent",
    at_most(3, why="of the float32 file's bytes, gzip in place of Huffman; int8 alone leaves 23 %, pruning alone 9 %"),
    kind="number",
)
@pytest.mark.parametrize("subject", LENETS)
def test_pruning_and_int8_together_leave_three_percent(subject, compressed):
    cell = compressed(subject, DEEP)
    return 100 * cell.gzip_bytes / cell.reference.raw_bytes


DEEP = "prune(0.96) | int8"


FULL_DATA = "2,000 images are too few to retrain so sparse a network on: run with --scale paper and all of MNIST"


@claim(
    "ishtiaq2021/II/deep-compression-3-percent",
    at_most(1.0, why="without loss, it says; pruned and retrained once here, not in rounds; n=10,000"),
    kind="number",
)
@pytest.mark.parametrize("subject", LENETS)
def test_three_percent_cost_little_accuracy(subject, compressed, request):
    if request.config.getoption("scale") == "embedded":
        unmeasured(FULL_DATA)
    return compressed(subject, DEEP).accuracy_drop


@claim(
    "ishtiaq2021/II/deep-compression-bits",
    exactly(
        5, why="bits of an index into 32 shared weights a layer; unclustered layers have thousands, 12 bits and up"
    ),
    kind="number",
)
@pytest.mark.parametrize("subject", LENETS)
def test_shared_weights_need_five_bits(subject, compressed):
    import h5py
    import numpy as np

    most = 0
    with h5py.File(compressed(subject, "cluster(32, epochs=1)@keras").artifact.path, "r") as file:

        def distinct(_, item):
            nonlocal most
            if isinstance(item, h5py.Dataset) and item.ndim >= 2:
                most = max(most, np.unique(item[()]).size)

        file.visititems(distinct)
    return int(most - 1).bit_length()


@claim(
    "ishtiaq2021/IV/retraining-gain",
    at_most(0.4, why="points over the better of the dense network and a dense control retrained as long (I15): none"),
    kind="refuted",
)
@pytest.mark.parametrize("subject", LENETS)
@pytest.mark.parametrize("sparsity", [0.5, 0.8])
@pytest.mark.parametrize("bits", [32, 8])
def test_compression_with_retraining_gains_nothing_over_a_dense_network(subject, sparsity, bits, compressed):
    cell = compressed(subject, recipe(sparsity, bits))
    dense = [compressed(subject, "float32"), compressed(subject, control(bits))]
    return min((one.accuracy_drop_from(cell) for one in dense), key=lambda gain: gain.value)


@claim(
    "ishtiaq2021/II/zhu-gupta-sparse",
    at_most(
        0, why="points lost by 17,220 kernel weights kept of lenet_5 against 20,388 of a dense mnist_cnn, same data"
    ),
    kind="trend",
)
def test_a_large_sparse_network_is_more_accurate_than_a_small_dense_one(compressed, request):
    if request.config.getoption("scale") == "embedded":
        unmeasured(FULL_DATA)
    return compressed("lenet_5", "prune(0.96)").accuracy_drop_from(compressed("mnist_cnn", "retrain"))
