"""Which weights magnitude pruning keeps, against a sort in plain Python and against TFMOT."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from compress.errors import ModelFileError, RecipeError
from compress.pruning.masks import Scope, kept_count, lamp_scores, magnitude_masks
from compress.pruning.schedule import ConstantSparsity
from compress.tfmot.prune import tfmot_schedule
from compress.tfmot.training import import_tfmot

Weights = dict[str, NDArray[Any]]

any_float = st.floats(allow_nan=False, width=32)
tied_float = st.sampled_from([-2.0, -1.0, -0.0, 0.0, 1.0, 2.0])
tensor = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=6), elements=any_float | tied_float
)
weights_of_a_model = st.dictionaries(st.sampled_from("abcd"), tensor, max_size=4)
sparsities = st.floats(0, 0.999)
scopes = st.sampled_from(["layer", "global", "lamp"])
magnitudes = hnp.arrays(
    np.float32, st.integers(1, 40), elements=st.floats(2**-20, 2**20, width=32) | st.sampled_from([0.0, 1.0, 2.0])
)


def sorted_by_magnitude(weights: Weights) -> list[tuple[str, int]]:
    """Every weight's place, largest magnitude first, ties in memory order."""
    places = [(name, index) for name, weight in weights.items() for index in range(weight.size)]
    return sorted(places, key=lambda place: -abs(float(weights[place[0]].flat[place[1]])))


def places_kept(masks: dict[str, NDArray[np.bool_]]) -> set[tuple[str, int]]:
    return {(name, int(index)) for name, mask in masks.items() for index in np.flatnonzero(mask)}


@given(weights=weights_of_a_model, sparsity=sparsities)
def test_per_layer_the_kept_weights_are_the_largest_and_exactly_as_many_as_counted(
    weights: Weights, sparsity: float
) -> None:
    masks = magnitude_masks(weights, sparsity, "layer")
    for name, weight in weights.items():
        expected = sorted_by_magnitude({name: weight})[: kept_count(weight.size, sparsity)]
        assert places_kept({name: masks[name]}) == set(expected)


@given(weights=weights_of_a_model, sparsity=sparsities)
def test_globally_the_kept_weights_are_each_layers_largest_and_then_the_largest_of_all(
    weights: Weights, sparsity: float
) -> None:
    order = sorted_by_magnitude(weights)
    first_of_layer = [next(place for place in order if place[0] == name) for name in weights if weights[name].size]
    ranked = first_of_layer + [place for place in order if place not in first_of_layer]
    count = max(kept_count(len(order), sparsity), len(first_of_layer))
    assert places_kept(magnitude_masks(weights, sparsity, "global")) == set(ranked[:count])


def lamp_of_the_paper(magnitude: NDArray[Any]) -> list[Fraction]:
    """Equation 2 of Lee et al. 2021 word for word, in exact fractions, one sum for every weight."""
    order = sorted(range(len(magnitude)), key=lambda index: float(magnitude[index]))
    squares = [Fraction(float(magnitude[index])) ** 2 for index in order]
    scores = [Fraction(0)] * len(order)
    for rank, index in enumerate(order):
        left = sum(squares[rank:])
        scores[index] = squares[rank] / left if left else Fraction(0)
    return scores


def test_a_weights_lamp_score_is_its_part_of_the_squares_that_are_no_smaller() -> None:
    scores = lamp_scores(np.array([2.0, 1.0, 4.0, 2.0]))
    assert scores.tolist() == [4 / 24, 1 / 25, 1.0, 4 / 20]


@given(magnitude=magnitudes)
def test_lamp_scores_are_those_of_the_papers_equation(magnitude: NDArray[np.float32]) -> None:
    expected = [float(score) for score in lamp_of_the_paper(magnitude)]
    np.testing.assert_allclose(lamp_scores(magnitude), expected, rtol=1e-12)


@given(magnitude=magnitudes, exponent=st.integers(-30, 30))
def test_the_scale_of_a_layer_changes_no_lamp_score(magnitude: NDArray[np.float32], exponent: int) -> None:
    np.testing.assert_array_equal(lamp_scores(magnitude * np.float32(2.0**exponent)), lamp_scores(magnitude))


@given(magnitude=magnitudes)
def test_a_layers_largest_weight_has_lamp_score_1_and_larger_weights_higher_ones(
    magnitude: NDArray[np.float32],
) -> None:
    scores = lamp_scores(magnitude)
    order = np.lexsort((np.arange(magnitude.size), magnitude))
    assert scores[order[-1]] == (1 if magnitude.any() else 0)
    assert np.all(np.diff(scores[order]) >= 0)
    assert np.all((scores == 0) == (magnitude == 0))


def test_of_equal_weights_the_last_has_the_highest_lamp_score() -> None:
    assert lamp_scores(np.full(4, 0.5)).tolist() == [1 / 4, 1 / 3, 1 / 2, 1.0]


@given(weights=weights_of_a_model, sparsity=sparsities)
def test_by_lamp_the_count_is_exact_but_for_layers_that_would_be_empty(weights: Weights, sparsity: float) -> None:
    sizes = [weight.size for weight in weights.values() if weight.size]
    masks = magnitude_masks(weights, sparsity, "lamp")
    assert len(places_kept(masks)) == max(kept_count(sum(sizes), sparsity), len(sizes))
    assert all(masks[name].any() for name, weight in weights.items() if weight.size)


def test_by_lamp_layers_of_other_scales_lose_the_same_weights() -> None:
    weights = {"small": np.arange(1, 101) * 1e-3, "large": np.arange(1, 101) * 1e3}
    lamp, globally = (magnitude_masks(weights, 0.9, scope) for scope in ("lamp", "global"))
    assert {name: mask.sum() for name, mask in lamp.items()} == {"small": 10, "large": 10}
    assert {name: mask.sum() for name, mask in globally.items()} == {"small": 1, "large": 19}


@given(weights=weights_of_a_model, lower=sparsities, higher=sparsities, scope=scopes)
def test_what_a_lower_sparsity_prunes_a_higher_one_prunes_too(
    weights: Weights, lower: float, higher: float, scope: Scope
) -> None:
    lower, higher = min(lower, higher), max(lower, higher)
    assert places_kept(magnitude_masks(weights, higher, scope)) <= places_kept(magnitude_masks(weights, lower, scope))


@given(weights=weights_of_a_model, sparsity=sparsities, scope=scopes)
def test_pruning_what_is_pruned_keeps_the_same_weights(weights: Weights, sparsity: float, scope: Scope) -> None:
    once = magnitude_masks(weights, sparsity, scope)
    pruned = {name: np.where(once[name], weight, 0) for name, weight in weights.items()}
    again = magnitude_masks(pruned, sparsity, scope)
    for name, weight in pruned.items():
        assert np.array_equal(np.where(again[name], weight, 0), weight)


@given(weights=weights_of_a_model, sparsity=sparsities, scope=scopes)
def test_masks_have_the_shapes_of_weights_that_are_left_as_they_were(
    weights: Weights, sparsity: float, scope: Scope
) -> None:
    before = {name: weight.copy() for name, weight in weights.items()}
    for weight in weights.values():
        weight.flags.writeable = False
    masks = magnitude_masks(weights, sparsity, scope)
    assert {name: (mask.shape, mask.dtype) for name, mask in masks.items()} == {
        name: (weight.shape, np.dtype(bool)) for name, weight in weights.items()
    }
    assert all(np.array_equal(weights[name], before[name]) for name in weights)


def test_all_zero_weights_keep_the_first_ones_so_that_the_count_is_exact() -> None:
    mask = magnitude_masks({"kernel": np.zeros((4, 5), np.float32)}, 0.9, "layer")["kernel"]
    assert np.flatnonzero(mask).tolist() == [0, 1]


def test_a_small_layer_of_small_weights_keeps_one_weight_under_global_scope() -> None:
    weights = {"large": np.arange(1, 101, dtype=np.float32), "small": np.array([0.01, -0.03, 0.02], np.float32)}
    masks = magnitude_masks(weights, 0.9, "global")
    assert masks["small"].tolist() == [False, True, False]
    assert masks["large"].sum() == kept_count(103, 0.9) - 1


def test_no_weights_have_no_masks() -> None:
    assert magnitude_masks({}, 0.5, "layer") == {}
    assert magnitude_masks({}, 0.5, "global") == {}
    assert magnitude_masks({"empty": np.zeros((0, 3))}, 0.5, "global")["empty"].shape == (0, 3)


def test_an_infinite_weight_is_the_largest() -> None:
    weights = {"a": np.array([1.0, -np.inf, 3.0]), "b": np.array([np.inf, np.inf, 2.0])}
    masks = magnitude_masks(weights, 0.5, "global")
    assert masks["a"].tolist() == [False, True, False]
    assert masks["b"].tolist() == [True, True, False]


def test_weights_that_are_no_numbers_are_refused_by_name() -> None:
    with pytest.raises(ModelFileError, match="conv/kernel holds NaN"):
        magnitude_masks({"dense/kernel": np.ones(3), "conv/kernel": np.array([1.0, np.nan])}, 0.5)


@pytest.mark.parametrize("sparsity", [-0.1, 1.0, 1.2, float("nan")])
def test_a_sparsity_outside_0_to_1_is_refused_with_its_value(sparsity: float) -> None:
    with pytest.raises(RecipeError, match=rf"sparsity must be in \[0, 1\), got {sparsity}"):
        magnitude_masks({"kernel": np.ones(3)}, sparsity)


def test_an_unknown_scope_is_refused_with_its_value() -> None:
    with pytest.raises(RecipeError, match="scope must be one of layer, global, lamp, got 'model'"):
        magnitude_masks({"kernel": np.ones(3)}, 0.5, "model")  # type: ignore[arg-type]


def tfmot_mask(weight: NDArray[np.float32], sparsity: float) -> NDArray[np.bool_]:
    """The mask that TFMOT's own update computes for one weight tensor."""
    import tensorflow as tf

    import_tfmot()
    from tensorflow_model_optimization.python.core.sparsity.keras.pruning_impl import Pruning

    mask, threshold = tf.Variable(tf.ones_like(weight)), tf.Variable(0.0)
    schedule = tfmot_schedule(ConstantSparsity(sparsity))
    pruning = Pruning(
        lambda: tf.constant(1, tf.int64), [(tf.Variable(weight), mask, threshold)], schedule, (1, 1), "AVG"
    )
    pruning.conditional_mask_update()
    return np.asarray(mask.numpy() != 0)


@settings(deadline=None)
@given(size=st.integers(1, 400), sparsity=sparsities, seed=st.integers(0, 2**32 - 1))
@example(size=10, sparsity=0.95, seed=0)
@example(size=25, sparsity=0.9, seed=0)
@example(size=5, sparsity=0.5, seed=0)
@example(size=7, sparsity=0.5, seed=0)
@example(size=3, sparsity=0.999, seed=0)
def test_weights_without_ties_get_tfmots_own_mask(size: int, sparsity: float, seed: int) -> None:
    generator = np.random.default_rng(seed)
    weight = (generator.permutation(size) + 1).astype(np.float32) * generator.choice(np.float32([-0.01, 0.01]), size)
    ours = magnitude_masks({"kernel": weight}, sparsity, "layer")["kernel"]
    assert np.array_equal(ours, tfmot_mask(weight, sparsity))


@settings(deadline=None)
@given(
    weight=hnp.arrays(np.float32, st.integers(1, 40), elements=tied_float),
    sparsity=sparsities,
)
@example(weight=np.zeros(20, np.float32), sparsity=0.9)
def test_tfmot_keeps_every_tie_of_which_the_first_are_kept_here(weight: NDArray[np.float32], sparsity: float) -> None:
    ours, theirs = magnitude_masks({"kernel": weight}, sparsity, "layer")["kernel"], tfmot_mask(weight, sparsity)
    assert np.all(theirs[ours])
    threshold = np.abs(weight[ours]).min()
    assert np.all(np.abs(weight[theirs & ~ours]) == threshold)


@pytest.mark.parametrize("size", [108, 20_280, 25_000_000])
@pytest.mark.parametrize("sparsity", [0.5, 0.8, 0.9, 0.95, 0.99])
def test_the_count_kept_is_the_real_one_within_a_rounding(size: int, sparsity: float) -> None:
    assert abs(kept_count(size, sparsity) - size * (1 - sparsity)) <= 0.5 + size * 2**-23
