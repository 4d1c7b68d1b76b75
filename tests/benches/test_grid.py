"""The grid of Ishtiaq et al.: rows as printed, recipes, and the limits of what deflate can do."""

import pytest

from benches.ishtiaq2021.grid import control, largest_factor, least_factor, printed, recipe
from compress.recipe import Recipe


@pytest.mark.parametrize("table", ["I", "II"])
def test_a_table_has_18_variants_and_begins_with_the_baseline(table):
    rows = list(printed(table).values())
    assert len(rows) == 18
    assert (rows[0].sparsity, rows[0].bits, rows[0].reduction, rows[0].delta_points) == (0, 32, None, None)


def test_a_row_keeps_every_printed_number():
    row = printed("I")[0.9, 8]
    assert (row.size_bytes, row.accuracy, row.reduction, row.delta_points) == (5331, 95.95, 14.66, -2.22)
    assert row.name == "90 % / 8 bit"


def test_ten_variants_are_both_pruned_and_quantized():
    assert sum(row.is_combined for row in printed("I").values()) == 10


def test_what_is_not_retrained_is_said_in_the_recipe_of_a_pruned_variant_only():
    assert recipe(0.9, 8, retrained=False) == "prune(0.9, epochs=0) | int8(10)"
    assert recipe(0, 16, retrained=False) == "float16"


@pytest.mark.parametrize("cell", list(printed("I")), ids=str)
def test_every_variants_recipe_parses_and_prints_back(cell):
    text = recipe(*cell)
    parsed = str(Recipe.parse(text))
    assert parsed in (text, text.removesuffix(" | float32"))


def test_the_control_is_stored_as_the_variant_is():
    assert control(8) == "retrain | int8"


def test_the_printed_16_bit_file_is_smaller_than_its_mantissas():
    baseline = printed("I")[0, 32].size_bytes
    assert printed("I")[0, 16].reduction > largest_factor(0, 16, 20_388, baseline)


def test_the_limits_of_a_factor_enclose_it_and_grow_with_sparsity():
    for sparsity, more in [(0.0, 0.5), (0.5, 0.9)]:
        assert least_factor(sparsity, 16, 1000, 4000) < largest_factor(sparsity, 16, 1000, 4000)
        assert least_factor(sparsity, 16, 1000, 4000) < least_factor(more, 16, 1000, 4000)


def test_a_dense_float32_file_deflates_by_a_third_at_most():
    assert largest_factor(0, 32, 1000, 4000) == pytest.approx(32 / 24)
