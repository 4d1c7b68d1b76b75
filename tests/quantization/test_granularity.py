from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import QuantizationError
from compress.quantization.granularity import PerBlock, PerChannel, PerTensor, expand, group_counts, per_group
from tests.quantization.strategies import EVERY_GRANULARITY, matrices


def group_of(index: tuple[int, ...], granularity: PerTensor | PerChannel | PerBlock) -> tuple[int, ...]:
    """Return which group a value is in, from the definition."""
    match granularity:
        case PerTensor():
            return (0,) * len(index)
        case PerChannel(axis):
            return tuple(i if a == axis % len(index) else 0 for a, i in enumerate(index))
        case PerBlock(size, axis):
            return tuple(i // size if a == axis % len(index) else i for a, i in enumerate(index))


@given(matrices("float64"), st.sampled_from(EVERY_GRANULARITY))
def test_each_group_holds_the_values_that_its_definition_names(x, granularity):
    members: dict[tuple[int, ...], list[float]] = {}
    for index in np.ndindex(x.shape):
        members.setdefault(group_of(index, granularity), []).append(x[index])

    lowest = per_group(lambda values: values.min(axis=-1, initial=np.inf, keepdims=True), x, granularity)[..., 0]

    assert lowest.shape == group_counts(x.shape, granularity)
    assert {group: lowest[group] for group in members} == {group: min(values) for group, values in members.items()}


@given(matrices("float64"), st.sampled_from(EVERY_GRANULARITY))
def test_expanding_gives_every_value_the_number_of_its_group(x, granularity):
    counts = group_counts(x.shape, granularity)
    numbers = np.arange(np.prod(counts)).reshape(counts)
    expanded = np.broadcast_to(expand(numbers, x.shape, granularity), x.shape)
    for index in np.ndindex(x.shape):
        assert expanded[index] == numbers[group_of(index, granularity)]


@pytest.mark.parametrize(
    ("granularity", "counts"),
    [
        (PerTensor(), (1, 1, 1)),
        (PerChannel(0), (4, 1, 1)),
        (PerChannel(-1), (1, 1, 10)),
        (PerBlock(5), (4, 3, 2)),
        (PerBlock(4), (4, 3, 3)),
        (PerBlock(64), (4, 3, 1)),
    ],
)
def test_an_array_has_as_many_scales_as_groups(granularity, counts):
    assert group_counts((4, 3, 10), granularity) == counts


def test_a_scalar_is_one_group():
    assert group_counts((), PerTensor()) == ()
    assert per_group(lambda values: values * 2, np.array(3.0), PerTensor()).tolist() == [6.0]


def test_an_axis_that_is_not_there_is_named():
    with pytest.raises(QuantizationError, match=r"no axis 2 in an array of shape \(4, 3\)"):
        group_counts((4, 3), PerChannel(2))
    with pytest.raises(QuantizationError, match="no axis -1 in an array of shape"):
        group_counts((), PerBlock(4))


def test_a_block_holds_at_least_one_value():
    with pytest.raises(QuantizationError, match="at least 1, got 0"):
        PerBlock(0)


def test_scales_of_another_shape_are_refused():
    with pytest.raises(QuantizationError, match=r"has \(4, 1\) groups .* scales for \(1, 3\)"):
        expand(np.ones((1, 3)), (4, 3), PerChannel(0))
