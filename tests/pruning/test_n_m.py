"""N:M sparsity: the mask of any kernel, and the training that keeps it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from compress.errors import ModelFileError, RecipeError
from compress.pruning.n_m import PruneNM, n_m_mask
from compress.recipe import Recipe
from compress.training import kernels

if TYPE_CHECKING:
    import keras

VALUES = hnp.from_dtype(np.dtype(np.float32), min_value=-3, max_value=3, allow_nan=False, allow_subnormal=False)


@st.composite
def patterns(draw: st.DrawFn) -> tuple[NDArray[np.float32], int, int, int]:
    """A weight, n, m and an axis that m divides; few distinct values, so that ties are common."""
    m = draw(st.integers(2, 6))
    n = draw(st.integers(1, m - 1))
    axis = draw(st.integers(0, 2))
    shape = [draw(st.integers(1, 3)) for _ in range(3)]
    shape[axis] = m * draw(st.integers(1, 3))
    elements = draw(st.sampled_from([VALUES, st.sampled_from([-1.0, 0.0, 1.0, 2.0])]))
    return draw(hnp.arrays(np.float32, tuple(shape), elements=elements)), n, m, axis


def groups_of(values: NDArray[Any], m: int, axis: int) -> NDArray[Any]:
    """Groups of `m` consecutive values along `axis`, one a row, cut out one by one."""
    lines = np.moveaxis(values, axis, -1).reshape(-1, values.shape[axis])
    return np.array([line[start : start + m] for line in lines for start in range(0, len(line), m)])


@given(patterns())
def test_every_group_keeps_its_n_largest_and_of_equal_ones_the_first(case: Any) -> None:
    weight, n, m, axis = case
    mask = n_m_mask(weight, n, m, axis)
    assert mask.shape == weight.shape
    for values, kept in zip(groups_of(weight, m, axis), groups_of(mask, m, axis), strict=True):
        ranked = sorted(range(m), key=lambda place: (-abs(values[place]), place))
        assert sorted(ranked[:n]) == np.flatnonzero(kept).tolist()


@given(patterns())
def test_every_masked_group_has_at_least_m_minus_n_zeros_and_masking_again_changes_nothing(case: Any) -> None:
    weight, n, m, axis = case
    masked = np.where(n_m_mask(weight, n, m, axis), weight, 0)
    assert np.all(np.count_nonzero(groups_of(masked, m, axis) == 0, axis=1) >= m - n)
    assert np.array_equal(np.where(n_m_mask(masked, n, m, axis), masked, 0), masked)


def test_groups_of_a_convolution_run_along_its_inputs() -> None:
    kernel = np.zeros((1, 2, 4, 1), np.float32)
    kernel[0, 0, :, 0] = [1, -4, 3, 2]
    kernel[0, 1, :, 0] = [50, 60, 70, -80]
    assert np.flatnonzero(n_m_mask(kernel)).tolist() == [1, 2, 6, 7]


def wide() -> keras.Model:
    """Convolutions of one and four inputs, a depthwise one of eight, and a dense layer of 32."""
    import keras

    layers = keras.layers
    inputs = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, activation="relu", name="second")(layers.Conv2D(4, 3, name="first")(inputs))
    x = layers.Flatten()(layers.DepthwiseConv2D(3, name="depthwise")(x))
    return keras.Model(inputs, layers.Dense(4, activation="softmax", name="dense")(x), name="wide")


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (3, 8)])
def test_retraining_keeps_the_pattern_and_what_it_does_not_fit_stays_dense(data, training, n: int, m: int) -> None:
    pruned = {
        path: each.numpy() for path, each in kernels(PruneNM(n, m).transform(wide(), data, training, seed=0)).items()
    }
    fits = {"dense/kernel"} | ({"second/kernel"} if m == 4 else set())
    for path, kernel in pruned.items():
        if path in fits:
            assert np.all(np.count_nonzero(groups_of(kernel, m, kernel.ndim - 2), axis=1) == n)
        else:
            assert np.all(kernel != 0)


def test_the_mask_is_of_the_weights_before_retraining_and_what_stays_is_retrained(data, training) -> None:
    model = wide()
    pruned = kernels(PruneNM().transform(model, data, training, seed=0))["dense/kernel"].numpy()
    before = kernels(model)["dense/kernel"].numpy()
    mask = n_m_mask(before, 2, 4, 0)
    assert np.array_equal(pruned != 0, mask)
    assert np.all(pruned[mask] != before[mask])


def test_zero_epochs_prune_and_change_nothing_else(data, training) -> None:
    model = wide()
    pruned = PruneNM(1, 4, epochs=0).transform(model, data, training, seed=0)
    for before, after in zip(model.weights, pruned.weights, strict=True):
        values = before.numpy()
        if before.path in ("second/kernel", "dense/kernel"):
            values = np.where(n_m_mask(values, 1, 4), values, 0)
        assert np.array_equal(after.numpy(), values)


def test_a_seed_fixes_the_weights_and_the_given_model_keeps_its_own(data, training) -> None:
    model = wide()
    before = model.get_weights()
    runs = [PruneNM(epochs=1).transform(model, data, training, seed=seed).get_weights() for seed in (3, 3, 4)]
    assert all(np.array_equal(one, other) for one, other in zip(model.get_weights(), before, strict=True))
    assert all(np.array_equal(one, other) for one, other in zip(runs[0], runs[1], strict=True))
    assert not all(np.array_equal(one, other) for one, other in zip(runs[0], runs[2], strict=True))


def test_what_stays_dense_is_logged(data, training, caplog) -> None:
    with caplog.at_level(logging.INFO, "compress.pruning.n_m"):
        PruneNM(epochs=0).transform(wide(), data, training, seed=0)
    assert sorted(caplog.messages) == [
        "wide: depthwise/kernel (3, 3, 8, 1) stays dense under 2:4",
        "wide: first/kernel (3, 3, 1, 4) stays dense under 2:4",
    ]


def test_a_model_that_the_pattern_fits_nowhere_is_refused(data, training) -> None:
    with pytest.raises(RecipeError, match="no kernel of wide sums over a multiple of 7 inputs"):
        PruneNM(2, 7).transform(wide(), data, training, seed=0)


def test_a_kernel_that_cannot_be_grouped_or_ranked_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"a multiple of 4 along axis -2, got shape \(6, 2\)"):
        n_m_mask(np.ones((6, 2)))
    with pytest.raises(ModelFileError, match="NaN"):
        n_m_mask(np.full((4, 2), np.nan))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: PruneNM(4, 4), "1 <= n < m, got 4:4"),
        (lambda: PruneNM(5, 4), "1 <= n < m, got 5:4"),
        (lambda: PruneNM(0, 4), "1 <= n < m, got 0:4"),
        (lambda: PruneNM(1.5, 4), "1 <= n < m, got 1.5:4"),
        (lambda: n_m_mask(np.ones((4, 4)), 4, 4), "1 <= n < m, got 4:4"),
        (lambda: PruneNM(2, 4, -1), "epochs must be none or a whole number from 0, got -1"),
    ],
)
def test_a_pattern_that_cannot_be_is_refused(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        build()


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("prune_n_m", PruneNM()),
        ("prune_n_m(1)", PruneNM(1)),
        ("prune_n_m(4, m=8, epochs=0)", PruneNM(4, 8, 0)),
    ],
)
def test_a_step_is_spelt_by_its_parameters(text: str, step: PruneNM) -> None:
    assert Recipe.parse(text).transforms == (step,)
    assert str(Recipe.parse(text)) == text
