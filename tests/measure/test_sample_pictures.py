"""Strips of pictures show the same samples on the same range, small enough to be kept; what is no picture has none."""

import base64
import json
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.errors import DataError
from compress.measure.picture import LARGEST
from compress.measure.sample_pictures import MOST_BYTES, SAMPLES, from_json, sample_pictures, to_json

GENERATOR = np.random.default_rng(0)


def levels(strip):
    """Return what a PNG file of ours holds: ``(height, width, channels)`` uint8."""
    data = strip.png.split(b"IDAT", 1)[1]
    rows = np.frombuffer(zlib.decompressobj().decompress(data), np.uint8).reshape(strip.height, -1)
    return rows[:, 1:].reshape(strip.height, strip.width, -1)


def test_samples_stand_below_each_other_in_one_strip_for_input_and_each_file():
    x = np.arange(6 * 4 * 5).reshape(6, 4, 5, 1) / 120
    made = sample_pictures(x, 1 - x, {"int8": x, "float16": x})
    assert list(made) == ["input", "float32", "int8", "float16"]
    assert {(one.width, one.height) for one in made.values()} == {(5, SAMPLES * 4 + SAMPLES - 1)}
    strip = levels(made["input"])[..., 0]
    np.testing.assert_array_equal(strip[5:9], np.round(255 * x[1, ..., 0]))
    assert (strip[4] == 255).all()
    assert abs(levels(made["input"])[:4].astype(int) + levels(made["float32"])[:4] - 255).max() <= 1


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (0, 255)])
def test_values_are_shown_on_the_range_that_holds_the_float_files(low, high):
    reference = np.full((1, 2, 2, 3), low, np.float32)
    reference[0, 0] = high
    broken = np.full((1, 2, 2, 3), low + 2 * (high - low), np.float32)
    made = sample_pictures(np.zeros((1, 7)), reference, {"int8": broken})
    assert list(made) == ["float32", "int8"]
    assert levels(made["float32"])[:, 0, 0].tolist() == [255, 0]
    assert (levels(made["int8"]) == 255).all()


def test_another_range_is_the_float_files_own_and_what_is_not_finite_is_black():
    reference = np.array([[-40.0, 40], [-40, 40]]).reshape(1, 2, 2, 1)
    made = sample_pictures(reference, reference, {"int8": np.full((1, 2, 2, 1), np.nan)})
    assert levels(made["float32"])[0, :, 0].tolist() == [0, 255]
    assert (levels(made["int8"]) == 0).all()


def test_channels_may_come_first_and_a_record_shows_its_first_picture():
    x = GENERATOR.random((2, 4, 5, 3))
    last = sample_pictures(x, x, {"int8": x})
    first = x.transpose(0, 3, 1, 2)
    record = np.zeros(2, [("scores", "f4", (10,)), ("picture", "f8", (4, 5, 3))])
    record["picture"] = x
    assert sample_pictures(first, first, {"int8": first}) == last
    assert sample_pictures(record, record, {"int8": record}) == last


@pytest.mark.parametrize("shape", [(9, 10), (9, 8, 8), (9, 8, 8, 5), (9, 1, 1, 3), (0, 8, 8, 3), (9, 1, 1, 1000)])
def test_outputs_that_are_no_pictures_have_none(shape):
    assert sample_pictures(np.zeros((9, 8, 8, 3)), np.zeros(shape), {"int8": np.zeros(shape)}) == {}


@settings(max_examples=10)
@given(st.integers(1, 6), st.integers(2, 300), st.integers(2, 600), st.sampled_from([1, 3]))
def test_strips_are_never_larger_than_a_run_keeps(n, height, width, channels):
    x = np.random.default_rng(0).random((n, height, width, channels))
    made = sample_pictures(x, x, {"int8": x})
    assert len(json.dumps(to_json(made))) <= 64_100
    assert sum(len(one.png) for one in made.values()) <= MOST_BYTES
    assert all(max(one.width, one.height) <= LARGEST for one in made.values())


def test_large_pictures_are_scaled_down_by_the_mean():
    x = np.zeros((2, 400, 400, 1))
    x[:, ::2] = 1
    made = sample_pictures(x, x, {"int8": x})
    strip = levels(made["input"])
    assert strip.shape == (2 * 200 + 1, 200, 1)
    assert set(strip[:200].ravel().tolist()) == {128}


def test_strips_are_stored_and_read_back():
    made = sample_pictures(*[GENERATOR.random((2, 4, 4, 1))] * 2, {"int8": np.zeros((2, 4, 4, 1))})
    assert from_json(json.loads(json.dumps(to_json(made)))) == made


@pytest.mark.parametrize("damaged", [None, [], {"a": 1}, {"a": "%%"}, {"a": base64.b64encode(b"<svg/>").decode()}])
def test_damaged_strips_are_one_error(damaged):
    with pytest.raises(DataError):
        from_json(damaged)
