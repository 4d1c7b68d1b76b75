"""What must stay true of the locator on the board."""

import pytest

from compress.claims import at_least, at_most, claim
from compress.own.measures import score_drop


@claim("locator/flash", at_most(32_000, why="bytes: what the board's flash has left"))
def test_int8_fits_the_flash(subject, compressed):
    return compressed(subject, "int8").raw_bytes


@claim("locator/closeness", at_most(0.05, why="pixels: a tenth of what the float model is off on average"))
@pytest.mark.parametrize("recipe", ["int8", "dynamic_range"])
def test_it_looks_as_closely_as_before(subject, recipe, compressed):
    return score_drop(compressed(subject, recipe))


@claim("locator/scales", at_least(156, why="36 filters and 42 neurons: a scale each for weights and bias"))
def test_every_filter_has_a_scale_of_its_own(subject, compressed):
    return compressed(subject, "int8").value("scales")
