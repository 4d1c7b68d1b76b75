"""Ishtiaq et al. 2021, sections III and IV, decided by arithmetic on the tables as printed: nothing is trained here.

AlexNet appears as its printed rows only; what a trained AlexNet would have to decide is not claimed.
"""

from __future__ import annotations

import itertools
import math

import pytest

from benches.ishtiaq2021.grid import Variant, paper, printed
from benches.ishtiaq2021.quality_metric import quality
from compress.claims.bound import Estimate, at_least, at_most, between, exactly, is_true
from compress.claims.claim import claim

NETWORKS = {"CNN": "I", "AlexNet": "II"}
every_network = pytest.mark.parametrize("network", NETWORKS)


def compressed_rows(network: str) -> list[Variant]:
    return list(printed(NETWORKS[network]).values())[1:]


def baseline(network: str) -> Variant:
    return printed(NETWORKS[network])[0, 32]


def factors(network: str) -> dict[Variant, float]:
    return {row: baseline(network).size_bytes / row.size_bytes for row in compressed_rows(network)}


def printed_quality(network: str) -> dict[tuple[float, int], float]:
    """Return the printed Q of table III by sparsity and bits, best first."""
    table = paper().table("ishtiaq2021/table-III")
    cells = zip(table.column("Sparsity"), table.column("Precision"), table.column(network), strict=True)
    values = {(sparsity, bits): q for sparsity, bits, q in cells if q != "-"}
    return dict(sorted(values.items(), key=lambda item: -item[1]))


def recomputed_quality(network: str, points_per_unit: float = 1.0) -> dict[tuple[float, int], float]:
    """Return Eq. 5 of the printed inputs, with the accuracy change in percentage points over `points_per_unit`."""
    return {
        (row.sparsity, row.bits): quality(
            row.sparsity, row.bits, (row.accuracy - baseline(network).accuracy) / points_per_unit, factor
        )
        for row, factor in factors(network).items()
    }


def largest_difference(network: str, points_per_unit: float = 1.0) -> float:
    recomputed = recomputed_quality(network, points_per_unit)
    return max(abs(recomputed[cell] - q) for cell, q in printed_quality(network).items())


def exact(value: float, note: str) -> Estimate:
    return Estimate(value, value, value, note=note)


@claim(
    "ishtiaq2021/III/setup-gzip",
    "ishtiaq2021/table-I",
    "ishtiaq2021/table-II",
    at_most(0.00501, why="factors are printed to two decimals; baseline bytes over bytes, both gzipped (I01)"),
    kind="number",
)
@every_network
def test_printed_factors_are_baseline_over_size(network):
    return max(abs(factor - row.reduction) for row, factor in factors(network).items())


@claim(
    "ishtiaq2021/table-I",
    "ishtiaq2021/table-II",
    at_most(1e-9, why="both columns have two decimals, so the printed change is the exact difference in points (I01)"),
    kind="number",
)
@every_network
def test_printed_changes_are_differences_in_points(network):
    return max(abs(row.accuracy - baseline(network).accuracy - row.delta_points) for row in compressed_rows(network))


@claim(
    "ishtiaq2021/table-III",
    at_most(6e-5, why="four printed decimals; Eq. 5 with the change in points and the factor unrounded (I07)"),
    kind="number",
)
@every_network
def test_equation_5_gives_the_17_printed_values(network):
    return largest_difference(network)


@claim(
    "ishtiaq2021/table-III",
    exactly(34, why="17 compressed variants of two networks, each within 6e-5 of Eq. 5"),
    kind="number",
)
def test_equation_5_gives_all_34_printed_values():
    return sum(
        abs(recomputed_quality(network)[cell] - q) < 6e-5
        for network in NETWORKS
        for cell, q in printed_quality(network).items()
    )


@claim(
    "ishtiaq2021/table-III",
    at_least(0.9, why="with the change as a fraction, AlexNet at 99 % and 8 bits is 0.042, not 0.9946 (I07)"),
    kind="number",
)
@every_network
def test_equation_5_misses_them_with_the_change_as_a_fraction(network):
    return largest_difference(network, points_per_unit=100)


@claim(
    "ishtiaq2021/III/eq5-range",
    between(0.99, 1, why="|Q| at the corners: all zeros, 8 bits, any change, any factor; at 4 bits it would be 1.5"),
)
def test_q_reaches_one_and_no_further():
    corners = itertools.product((0, 1), (8, 16, 32), (-math.inf, -100, 0, 100, math.inf), (0, 1, 42, 500))
    return max(abs(quality(*corner)) for corner in corners)


@claim(
    "ishtiaq2021/III/eq5-comparable",
    "ishtiaq2021/IV/q-objective",
    exactly(0, why="Q is 0 at no change in accuracy, whether a file is 2 or 42 times smaller (I08)"),
    kind="refuted",
)
def test_q_does_not_see_size_where_accuracy_stays():
    return max(abs(quality(s, bits, 0.0, r)) for s, bits, r in [(0, 16, 2.0), (0.9, 8, 14.66), (0.99, 8, 41.97)])


@claim(
    "ishtiaq2021/III/eq5-comparable",
    is_true(why="for the same loss, every step of sparsity, of precision and of size lowers Q (I08)"),
    kind="refuted",
)
@pytest.mark.parametrize("loss_points", [0.37, 2.22, 68.42])
def test_q_falls_with_compression_at_any_loss(loss_points):
    steps = [(0, 16, 2.0), (0.5, 16, 2.0), (0.5, 8, 2.0), (0.5, 8, 14.66)]
    values = [quality(s, bits, -loss_points, r) for s, bits, r in steps]
    return all(more < less for less, more in itertools.pairwise(values))


@claim(
    "ishtiaq2021/III/eq5-comparable",
    at_most(
        0.1, why="tanh saturates: 0.977 at 2.22 points lost and 1 at 68.42, so that Q hardly tells them apart (I08)"
    ),
    kind="refuted",
)
def test_q_rates_a_ruined_model_almost_like_a_good_one():
    cells = printed_quality("CNN")
    return abs(cells[0.99, 8] - cells[0.9, 8])


@claim(
    "ishtiaq2021/IV/q-objective",
    is_true(why="0 % at 16 bits, best by Q, has the accuracy of 0 % at 8 bits and 1.9 times its bytes (I08)"),
    kind="refuted",
)
def test_the_variant_that_q_likes_best_is_dominated():
    best = printed("I")[next(iter(printed_quality("CNN")))]
    rivals = [r for r in compressed_rows("CNN") if r.size_bytes < best.size_bytes and r.accuracy >= best.accuracy]
    named = ", ".join(f"{r.name}: {r.size_bytes:,} B, {r.accuracy} %" for r in rivals)
    return exact(
        float(bool(rivals)), f"best by Q is {best.name}: {best.size_bytes:,} B, {best.accuracy} %; but {named}"
    )


@claim("ishtiaq2021/III-A/smallest-delta", exactly(0.37, why="Table I, 0 % at 16 and at 8 bits"), kind="number")
def test_the_smallest_printed_change_of_the_cnn():
    return round(min(abs(row.delta_points) for row in compressed_rows("CNN")), 2)


@claim("ishtiaq2021/III-A/largest-delta", exactly(68.42, why="Table I, 99 % at all precisions"), kind="number")
def test_the_largest_printed_change_of_the_cnn():
    return round(max(abs(row.delta_points) for row in compressed_rows("CNN")), 2)


@claim(
    "ishtiaq2021/III-A/quant-only-6.42",
    exactly(6.52, why="the mean of 4.43 and 8.61; geometric 6.18, harmonic 5.85: none is the 6.42 of the text (I09)"),
    kind="refuted",
)
def test_the_average_of_the_quantized_factors():
    return round(sum(factor for row, factor in factors("CNN").items() if row.sparsity == 0) / 2, 2)


@claim(
    "ishtiaq2021/III-A/prune-only-8x",
    between(8, 9, why="just above 8, the text says; 78,170 over 8,809 bytes is 8.87 (I10)"),
    kind="number",
)
def test_the_largest_printed_factor_by_sparsity_alone():
    return max(factor for row, factor in factors("CNN").items() if row.bits == 32)


@claim(
    "ishtiaq2021/III-A/combined-beats-single",
    exactly(3, why="combined variants below the best single method, of 10 in Table I; the text says none (I11)"),
    kind="refuted",
)
def test_combined_cnns_below_the_largest_single_factor():
    return largest_combined_and_counter_examples("CNN")[1]


@claim(
    "ishtiaq2021/III-A/combined-beats-single",
    "ishtiaq2021/III-B/alexnet-combined",
    at_least(3, why="the true form: largest combined over largest single, 34.74 / 8.87 and 41.97 / 13.31 (I11)"),
    kind="number",
)
@every_network
def test_the_largest_combined_over_the_largest_single_factor(network):
    return largest_combined_and_counter_examples(network)[0]


def largest_combined_and_counter_examples(network: str) -> tuple[Estimate, Estimate]:
    """Return the largest combined factor over the largest single one, and how many combined ones are below that."""
    combined = {row: factor for row, factor in factors(network).items() if row.is_combined}
    single = max(factor for row, factor in factors(network).items() if not row.is_combined)
    below = [f"{row.name} {factor:.2f}" for row, factor in combined.items() if factor < single]
    note = f"largest single {single:.2f}; combined ones below it: {', '.join(below)}"
    return exact(max(combined.values()) / single, note), exact(len(below), note)


@claim(
    "ishtiaq2021/III-A/best-90-8",
    exactly(15, why="rank by Table III of 90 % at 8 bits, Q = -0.9278, among 17: the text calls it the best (I12)"),
    kind="refuted",
)
def test_the_rank_of_90_percent_at_8_bits_by_q():
    return 1 + list(printed_quality("CNN")).index((0.9, 8))


@claim(
    "ishtiaq2021/III-A/best-0-16",
    "ishtiaq2021/IV/single-suffices",
    is_true(why="Table III, CNN: the largest Q, -0.0875, is that of 0 % at 16 bits, quantized only (I12)"),
    kind="number",
)
def test_q_prefers_the_cnn_at_16_bits_unpruned():
    return next(iter(printed_quality("CNN"))) == (0, 16)


@claim("ishtiaq2021/III-A/14x", exactly(14.66, why="Table I: 78,170 over 5,331 bytes (I01)"), kind="number")
def test_the_printed_factor_at_90_percent_and_8_bits():
    return round(factors("CNN")[printed("I")[0.9, 8]], 2)


@claim(
    "ishtiaq2021/III-A/consistent-drop",
    at_most(
        0.05, why="Table I: at one sparsity, 32 to 8 bits change accuracy by 0.05 points at most when pruned (I17)"
    ),
    kind="refuted",
)
def test_printed_accuracy_hardly_depends_on_precision():
    table = printed("I")
    pruned = {sparsity for sparsity, _ in table if sparsity}
    return round(max(table[s, 32].accuracy - table[s, bits].accuracy for s in pruned for bits in (16, 8)), 2)


@claim(
    "ishtiaq2021/III-B/alexnet-stable",
    at_most(0.19, why="Table II: the only loss of 17 is 0.19 points, at 99 % and 32 bits; cause untested (I15)"),
    kind="number",
)
def test_the_largest_printed_loss_of_alexnet():
    return round(max(-row.delta_points for row in compressed_rows("AlexNet")), 2)


@claim(
    "ishtiaq2021/III-B/alexnet-stable",
    is_true(why="no precision's column falls from each sparsity to the next: 50 % and 75 % beat 0 %"),
    kind="number",
)
@pytest.mark.parametrize("bits", [32, 16, 8])
def test_printed_alexnet_accuracy_does_not_fall_steadily(bits):
    column = [row.accuracy for (_, precision), row in printed("II").items() if precision == bits]
    return any(more > less for less, more in itertools.pairwise(column))


@claim(
    "ishtiaq2021/III-B/alexnet-best",
    is_true(why="Table III, AlexNet: the largest Q, 0.9946, is that of 99 % at 8 bits (I07)"),
    kind="number",
)
def test_q_prefers_alexnet_at_99_percent_and_8_bits():
    return next(iter(printed_quality("AlexNet"))) == (0.99, 8)


@claim(
    "ishtiaq2021/IV/best-not-largest",
    is_true(why="the best AlexNet by Q has both the largest factor, 41.97, and a gain of 4.24 points (I14)"),
    kind="refuted",
)
def test_the_best_alexnet_by_q_is_also_the_smallest_and_gains():
    best = printed("II")[next(iter(printed_quality("AlexNet")))]
    return best.size_bytes == min(row.size_bytes for row in compressed_rows("AlexNet")) and best.delta_points > 0


@claim(
    "ishtiaq2021/III-B/alexnet-combined",
    at_least(3.14, why="Table II: every combined variant gains, 3.14 points at least; no dense control though (I15)"),
    kind="number",
)
def test_every_combined_alexnet_gains():
    return round(min(row.delta_points for row in compressed_rows("AlexNet") if row.is_combined), 2)


CONVOLUTIONS = [(3, 96, 11), (96, 256, 5), (256, 384, 3), (384, 384, 3), (384, 256, 3)]
DENSE = [(6 * 6 * 256, 4096), (4096, 4096), (4096, 10)]


def alexnet_parameters() -> int:
    """Return the parameters of AlexNet (Krizhevsky et al. 2012) in one tower, batch-normalised, with 10 classes."""
    convolutions = sum(inputs * outputs * size**2 + outputs for inputs, outputs, size in CONVOLUTIONS)
    normalisation = sum(4 * outputs for _, outputs, _ in CONVOLUTIONS)
    return convolutions + normalisation + sum(inputs * outputs + outputs for inputs, outputs in DENSE)


@claim(
    "ishtiaq2021/III-B/58M",
    between(
        58e6, 59e6, why="five convolutions, three dense layers, batch norm; that size is why it tolerates is untested"
    ),
    kind="number",
)
def test_alexnet_has_over_58_million_parameters():
    return alexnet_parameters()


@claim("ishtiaq2021/III-B/alexnet-single", exactly(10.78, why="Table II, 99 % at 32 bits"), kind="number")
def test_the_largest_printed_alexnet_factor_by_sparsity_alone():
    return round(max(factor for row, factor in factors("AlexNet").items() if row.bits == 32), 2)


@claim("ishtiaq2021/III-B/alexnet-single", exactly(13.31, why="Table II, 0 % at 8 bits"), kind="number")
def test_the_largest_printed_alexnet_factor_by_precision_alone():
    return round(max(factor for row, factor in factors("AlexNet").items() if row.sparsity == 0), 2)


@claim("ishtiaq2021/III-B/alexnet-42x", exactly(41.97, why="Table II, 99 % at 8 bits"), kind="number")
def test_the_largest_printed_alexnet_factor():
    return round(max(factors("AlexNet").values()), 2)


@claim(
    "ishtiaq2021/III-B/alexnet-42x",
    "ishtiaq2021/III-B/alexnet-single",
    between(
        8, 12, why="bytes a parameter of the printed baseline: weights are 4, weights and Adam's two slots 12 (I03)"
    ),
    kind="refuted",
)
def test_the_alexnet_baseline_holds_optimizer_slots():
    return baseline("AlexNet").size_bytes / alexnet_parameters()


@claim(
    "ishtiaq2021/III-B/alexnet-42x",
    at_most(
        15, why="weights alone, 4 bytes each and not even gzipped, over the printed file: 14.9, not 42 (I04: 13.8)"
    ),
    kind="refuted",
)
def test_of_its_weights_alone_alexnet_shrinks_at_most_15_times():
    return 4 * alexnet_parameters() / printed("II")[0.99, 8].size_bytes


@claim(
    "ishtiaq2021/table-I",
    "ishtiaq2021/table-II",
    at_least(
        8, why="8 bits alone are said to give 8.61 and 13.31; a quarter of the bits cannot (I/precision-4x, I03, I05)"
    ),
    kind="refuted",
)
@every_network
def test_printed_8_bit_factors_are_above_four(network):
    return factors(network)[printed(NETWORKS[network])[0, 8]]


@claim(
    "ishtiaq2021/II/accuracy-8-fixed",
    between(-0.37, 0.74, why="Tables I and II: -0.37 points (CNN) and +0.74 (AlexNet) at 8 bits, unpruned"),
    kind="number",
)
@every_network
def test_printed_accuracy_at_8_bits_unpruned(network):
    return printed(NETWORKS[network])[0, 8].delta_points
