"""Ishtiaq et al. 2021, section II: what they tell of Deep Compression (Han et al. 2016), on trained classifiers (I13).

Weight sharing, low-rank factors, and pruning with quantization, each alone and together. Sizes are gzipped, over the
gzipped float32 file of the same runtime: no container of ours takes part.
"""

from __future__ import annotations

import pytest

from compress.claims.bound import Bound, Estimate, at_least, at_most, between, is_true
from compress.claims.claim import claim

pytestmark = pytest.mark.scale("embedded")

CLASSIFIERS = ["mobilenet_v2", "resnet50", "inception_v3", "alexnet"]
FINE_TUNED = "kmeans(16, epochs=1)"
AS_IT_IS = "kmeans(16)"
TOOLKIT = "cluster(16, epochs=1)"
CLUSTERED = "mobilenet_v2"
"""Two million weights, as AlexNet has, take the toolkit a third of a second a step."""

every_classifier = pytest.mark.parametrize("subject", CLASSIFIERS)


@claim(
    "ishtiaq2021/II/deep-compression-bits",
    at_most(1, why="points, n=3,000: 4 bits a weight and a codebook a layer, fine-tuned for an epoch"),
    kind="trend",
)
@every_classifier
def test_sixteen_values_a_layer_cost_a_point_at_most(subject, compressed, report_table):
    shown = [AS_IT_IS, FINE_TUNED, *([TOOLKIT] if subject == CLUSTERED else [])]
    cells = [compressed(subject, recipe) for recipe in ("float32", *shown)]
    report_table(
        "16 shared values a kernel: top-1 in %, gzipped bytes, and how much smaller than the gzipped float32 file",
        ("subject", "recipe", "top-1", "points lost", "gzipped bytes", "factor"),
    ).rows.extend(
        (
            subject,
            str(cell.recipe),
            f"{cell.accuracy.value:.2f}",
            f"{-cell.accuracy_drop.value:+.2f}" if cell is not cells[0] else "-",
            f"{cell.gzip_bytes:,}",
            f"{cell.gzip_ratio:.2f}",
        )
        for cell in cells
    )
    return compressed(subject, FINE_TUNED).accuracy_drop


def four_bits(subject: str) -> Bound:
    low = 5 if subject == "alexnet" else 2.5
    return at_least(low, why="32 bits over 4 of entropy, less deflate, statistics and HDF5; unshared weights give 1.1")


@claim("ishtiaq2021/II/deep-compression-bits", four_bits, kind="trend")
@every_classifier
def test_shared_weights_deflate_to_a_few_bits_each(subject, compressed):
    # a LiteRT file folds normalisation into its kernels, which multiplies the shared values by channel
    return compressed(subject, f"{FINE_TUNED}@keras").gzip_ratio


@claim(
    "ishtiaq2021/II/deep-compression-bits",
    at_least(0, why="points that fine-tuning the shared values brings back; n=3,000 leaves 0.3"),
    kind="trend",
)
@every_classifier
def test_fine_tuning_the_shared_values_brings_accuracy_back(subject, compressed):
    return compressed(subject, AS_IT_IS).accuracy_drop_from(compressed(subject, FINE_TUNED))


@claim(
    "ishtiaq2021/II/deep-compression-bits",
    between(-1.5, 1.5, why="points between the toolkit's clustering and ours, alike in clusters and epochs; n=3,000"),
    kind="trend",
)
def test_the_toolkits_clustering_agrees_with_ours(compressed):
    return compressed(CLUSTERED, TOOLKIT).accuracy_drop_from(compressed(CLUSTERED, FINE_TUNED))


LOW_RANK = {"alexnet": "svd(0.5, epochs=1)", "resnet50": "svd(0.5, epochs=1)"}


@claim(
    "ishtiaq2021/II/deep-compression-svd",
    is_true(why="low rank reaches less at more loss than pruning of equal epochs reaches: 'cheap, but poor'"),
    kind="trend",
)
@pytest.mark.parametrize("subject", LOW_RANK)
def test_low_rank_factors_compress_less_than_pruning_at_equal_loss(subject, compressed, report_table):
    low_rank, pruned = compressed(subject, LOW_RANK[subject]), compressed(subject, "prune(0.9, scope=lamp)")
    report_table(
        "low rank beside pruning: top-1 in %, raw and gzipped bytes over the float32 file's",
        ("subject", "recipe", "top-1", "points lost", "raw factor", "gzipped factor"),
    ).rows.extend(
        (
            subject,
            str(cell.recipe),
            f"{cell.accuracy.value:.2f}",
            f"{-cell.accuracy_drop.value:+.2f}",
            f"{cell.size_ratio:.2f}",
            f"{cell.gzip_ratio:.2f}",
        )
        for cell in (low_rank, pruned)
    )
    worse = low_rank.gzip_ratio < pruned.gzip_ratio
    drop = low_rank.accuracy_drop_from(pruned)
    return Estimate(float(worse), float(worse), float(worse), note=f"{drop.value:+.2f} points more than prune(0.9)")


@claim(
    "ishtiaq2021/II/deep-compression-svd",
    at_least(1.3, why="raw bytes: factors of low rank are fewer values, where pruning leaves the raw file as it was"),
    kind="trend",
)
@pytest.mark.parametrize("subject", LOW_RANK)
def test_low_rank_factors_make_the_raw_file_smaller(subject, compressed):
    return compressed(subject, LOW_RANK[subject]).size_ratio


TOGETHER = "prune(0.95, scope=lamp) | kmeans(16, preserve_sparsity=true)"
ALONE = ["prune(0.95, scope=lamp)", "kmeans(16, epochs=1)", "int8"]


@claim(
    "ishtiaq2021/II/deep-compression-3-percent",
    "ishtiaq2021/II/deep-compression-8-percent",
    at_least(2, why="gzipped, over the best of pruning, sharing and int8 alone: neither reaches where both do"),
    kind="trend",
)
def test_pruning_and_sharing_together_reach_where_neither_does_alone(compressed, report_table):
    cells = [compressed("alexnet", recipe) for recipe in (*ALONE, TOGETHER)]
    report_table(
        "AlexNet: alone and together, size in % of the gzipped float32 file, points lost, n=3,000",
        ("recipe", "% of the size", "points lost"),
    ).rows.extend(
        (str(cell.recipe), f"{100 / cell.gzip_ratio:.1f}", f"{-cell.accuracy_drop.value:+.2f}") for cell in cells
    )
    return cells[-1].gzip_ratio / max(cell.gzip_ratio for cell in cells[:-1])


@claim(
    "ishtiaq2021/II/deep-compression-3-percent",
    at_most(1.5, why="points, n=3,000, at a few percent of the size; the source has 35 to 49x without a loss"),
    kind="trend",
)
def test_together_they_lose_little(compressed):
    return compressed("alexnet", TOGETHER).accuracy_drop
