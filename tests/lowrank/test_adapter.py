"""Adapters as arrays and files: counts, ranks and scales by theorem, and files read as expected or refused."""

from __future__ import annotations

import contextlib
import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import ModelFileError, RecipeError
from compress.lowrank.adapter import Adapter, initial, read_adapter, write_adapter
from compress.lowrank.targets import Target, counted

TARGETS = (Target("block/query", (6, 2, 4), (0,), (1, 2)), Target("block/output", (2, 4, 5), (0, 1), (2,)))

sizes = st.integers(1, 12)


@st.composite
def targets(draw: st.DrawFn) -> list[Target]:
    """One to four kernels ``(inputs, heads, width)``."""
    shapes = draw(st.lists(st.tuples(sizes, sizes, sizes), min_size=1, max_size=4))
    return [Target(f"layer_{index}", shape, (0,), (1, 2)) for index, shape in enumerate(shapes)]


def largest_rank(found: list[Target]) -> int:
    return min(min(target.inputs, target.outputs) for target in found)


def trained(rank: int = 2, seed: int = 0, alpha: float = 3.0) -> Adapter:
    """An adapter of `TARGETS` whose factors are all drawn."""
    rng = np.random.default_rng(seed)
    factors = {
        target.path: (
            rng.normal(size=(target.inputs, rank)).astype(np.float32),
            rng.normal(size=(rank, target.outputs)).astype(np.float32),
        )
        for target in TARGETS
    }
    return Adapter(rank, alpha, factors)


@given(targets(), st.data())
def test_an_adapter_has_rank_times_inputs_and_outputs_parameters(found, data):
    rank = data.draw(st.integers(1, largest_rank(found)))

    adapter = initial(found, rank, None, seed=0)

    assert adapter.parameters == sum(a.size + b.size for a, b in adapter.factors.values())
    assert adapter.parameters == sum(rank * (t.shape[0] + t.shape[1] * t.shape[2]) for t in found)


@given(targets(), st.integers(0, 2**32 - 1), st.data())
def test_an_adapter_starts_at_zero_with_a_that_is_not(found, seed, data):
    rank = data.draw(st.integers(1, largest_rank(found)))

    adapter = initial(found, rank, None, seed)

    for target in found:
        assert not adapter.update(target.path).any()
        assert np.abs(adapter.factors[target.path][0]).min() > 0


def test_a_start_has_a_scale_of_one_unless_an_alpha_is_given():
    assert initial(TARGETS, 4, None, seed=0).scale == 1
    assert initial(TARGETS, 4, 6.0, seed=0).scale == 1.5


def test_the_start_is_drawn_by_its_seed_and_as_wide_as_keeps_the_inputs_size():
    wide = [Target("wide", (400, 4, 50), (0,), (1, 2))]

    first, again, other = (initial(wide, 50, None, seed).factors["wide"][0] for seed in (0, 0, 1))

    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.99
    np.testing.assert_allclose([first.mean(), first.std()], [0, 1 / 20], atol=0.001)


@given(targets(), st.integers(0, 2**32 - 1), st.floats(0.1, 100), st.data())
def test_an_update_has_at_most_the_rank(found, seed, alpha, data):
    rank = data.draw(st.integers(1, largest_rank(found)))
    start = initial(found, rank, alpha, seed)
    rng = np.random.default_rng(seed)
    factors = {path: (a, rng.normal(size=b.shape).astype(np.float32)) for path, (a, b) in start.factors.items()}
    adapter = Adapter(rank, start.alpha, factors)

    for target in found:
        singular = np.linalg.svd(adapter.update(target.path).astype(np.float64), compute_uv=False)
        assert (singular[rank:] <= 1e-5 * singular[0]).all()


@given(st.floats(0.5, 64), st.integers(1, 4))
def test_the_update_is_the_product_times_alpha_over_the_rank(alpha, rank):
    adapter = trained(rank, alpha=alpha)

    a, b = adapter.factors["block/query"]

    expected = alpha / rank * np.einsum("ir,ro->io", a.astype(np.float64), b)
    np.testing.assert_allclose(adapter.update("block/query"), expected, rtol=1e-4, atol=1e-4)


@given(targets())
def test_a_kernel_as_a_matrix_and_back_is_itself(found):
    for target in found:
        kernel = np.random.default_rng(0).normal(size=target.shape)
        np.testing.assert_array_equal(target.kernel(target.matrix(kernel)), kernel)


def test_a_kernel_whose_outputs_come_first_is_turned():
    target = Target("odd", (5, 3), (1,), (0,))
    kernel = np.arange(15.0).reshape(5, 3)

    np.testing.assert_array_equal(target.matrix(kernel), kernel.T)
    np.testing.assert_array_equal(target.kernel(kernel.T.copy()), kernel)


def test_a_kernel_whose_axes_go_round_in_a_circle_is_turned_back():
    target = Target("odd", (5, 3, 2), (1, 2), (0,))
    kernel = np.arange(30.0).reshape(5, 3, 2)

    np.testing.assert_array_equal(target.matrix(kernel), kernel.reshape(5, 6).T)
    np.testing.assert_array_equal(target.kernel(target.matrix(kernel)), kernel)


@pytest.mark.parametrize(("rank", "parameters"), [(4, 147_456), (64, 2_359_296)])
def test_gpt_2s_queries_and_values_have_the_published_counts(rank, parameters):
    assert counted([(768, 768)] * 24, rank) == parameters


def test_a_rank_above_a_kernels_own_is_refused():
    with pytest.raises(RecipeError, match=r"rank must be at most 5, that of block/output \(8 x 5\), got 6"):
        initial(TARGETS, 6, None, seed=0)


def test_factors_of_another_rank_are_refused():
    a, b = np.zeros((3, 2), np.float32), np.zeros((2, 4), np.float32)

    with pytest.raises(RecipeError, match="of layer are not of rank 3"):
        Adapter(3, 1.0, {"layer": (a, b)})


def test_factors_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        trained().factors["block/query"][0][0, 0] = 1


def test_a_written_adapter_is_read_back(tmp_path):
    adapter = trained()
    (tmp_path / "task.npz").write_bytes(write_adapter(adapter))

    again = read_adapter(tmp_path / "task.npz", TARGETS)

    assert (again.rank, again.alpha, list(again.factors)) == (2, 3.0, list(adapter.factors))
    for path, (a, b) in adapter.factors.items():
        np.testing.assert_array_equal(again.factors[path][0], a, strict=True)
        np.testing.assert_array_equal(again.factors[path][1], b, strict=True)


def test_an_adapter_is_written_as_the_same_bytes_each_time():
    assert write_adapter(trained()) == write_adapter(trained())


def test_a_file_is_its_factors_and_a_fixed_cost_a_layer():
    overheads = {len(write_adapter(trained(rank))) - trained(rank).parameter_bytes for rank in (1, 2, 4)}

    assert len(overheads) == 1
    assert overheads.pop() < 600 * (2 * len(TARGETS) + 1)


class Bomb:
    """Leaves a trace when unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self):
        return (Path.touch, (self.trace,))


def archive(path: Path, **changed: np.ndarray | bytes | None) -> Path:
    """Write the arrays of `trained` to `path`, some of them replaced, or left out where None."""
    members: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(write_adapter(trained()))) as good:
        members = {name: good.read(name) for name in good.namelist()}
    for name, array in changed.items():
        member = name.replace("__", "/") + ".npy"
        if array is None:
            del members[member]
            continue
        buffer = io.BytesIO()
        if isinstance(array, np.ndarray):
            np.save(buffer, array)
        members[member] = array if isinstance(array, bytes) else buffer.getvalue()
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


NAN = np.full((6, 2), np.nan, np.float32)
HUGE = (
    b"\x93NUMPY\x01\x00v\x00"
    + b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1000000000000), }".ljust(117)
    + b"\n"
)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"block__query__a": None}, "it holds"),
        ({"block__output__b": None}, "no factors of block/output|it holds"),
        ({"other__query__a": np.zeros((2, 2), np.float32)}, "it holds"),
        ({"block__query__a": np.zeros((6, 3), np.float32)}, r"array 'block/query/a' is float32 \(6, 3\)"),
        ({"block__query__a": np.zeros((6, 2), np.float64)}, "array 'block/query/a' is float64"),
        ({"block__query__a": NAN}, "holds NaN or infinity"),
        ({"alpha": np.float32([1, 2])}, "array 'alpha' is float32"),
        ({"alpha": np.array(np.inf, np.float32)}, "holds NaN or infinity"),
        ({"alpha": np.array(0, np.float32)}, "alpha is 0"),
        ({"block__query__b": np.zeros((0, 8), np.float32)}, "not of rank 1 to 5"),
        ({"block__query__b": np.zeros(8, np.float32)}, "not of rank 1 to 5"),
        ({"block__query__b": HUGE}, "block/query/b"),
        ({"block__query__b": b"no array"}, "magic string"),
    ],
)
def test_a_file_that_is_not_an_adapter_of_these_layers_is_refused_by_name(tmp_path, changed, reason):
    path = archive(tmp_path / "hostile.npz", **changed)

    with pytest.raises(ModelFileError, match=rf"hostile\.npz cannot be used.*({reason}).*write it again"):
        read_adapter(path, TARGETS)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelFileError, match=r"nothing\.npz is missing; write it again"):
        read_adapter(tmp_path / "nothing.npz", TARGETS)


def test_an_adapter_of_other_layers_is_refused(tmp_path):
    path = archive(tmp_path / "task.npz")

    with pytest.raises(ModelFileError, match=r"task\.npz cannot be used: it has no factors of elsewhere"):
        read_adapter(path, [Target("elsewhere", (6, 8), (0,), (1,))])


def test_a_pickled_object_is_never_unpickled(tmp_path):
    trace = tmp_path / "trace"
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.array([[Bomb(trace)]], dtype=object), allow_pickle=True)
    assert pickle.dumps(Bomb(trace))
    path = archive(tmp_path / "bomb.npz", block__query__b=buffer.getvalue())

    with pytest.raises(ModelFileError, match=r"bomb\.npz cannot be used"):
        read_adapter(path, TARGETS)

    assert not trace.exists()


@given(seen=st.data())
def test_a_truncated_or_flipped_file_is_refused_or_read_as_it_was(seen, tmp_path_factory):
    content = bytearray(write_adapter(trained()))
    if seen.draw(st.booleans()):
        content = content[: seen.draw(st.integers(0, len(content) - 1))]
    else:
        content[seen.draw(st.integers(0, len(content) - 1))] ^= 1 << seen.draw(st.integers(0, 7))
    path = tmp_path_factory.mktemp("flipped") / "task.npz"
    path.write_bytes(bytes(content))

    found = None
    with contextlib.suppress(ModelFileError):
        found = read_adapter(path, TARGETS)

    for name, (a, b) in trained().factors.items() if found else ():
        np.testing.assert_array_equal(found.factors[name][0], a)
        np.testing.assert_array_equal(found.factors[name][1], b)
