"""A picture's pixels come back from its PNG file, as a library that knows the format reads them."""

import io

import numpy as np
import pytest

from compress.errors import DataError
from compress.measure.picture import Picture, picture

GENERATOR = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 3), (1, 1), (512, 2, 3)])
def test_pillow_reads_the_pixels_that_were_written(shape):
    image = pytest.importorskip("PIL.Image", reason="Pillow comes with the extra 'data'")
    pixels = GENERATOR.integers(0, 256, shape, np.uint8)
    made = picture(pixels)
    with image.open(io.BytesIO(made.png)) as read:
        read.load()
        assert read.mode == ("L" if len(shape) == 2 else "RGB")
        assert (np.asarray(read) == pixels).all()
    assert (made.height, made.width) == shape[:2]


def test_floats_are_from_zero_to_one_and_a_last_axis_of_one_is_grey():
    levels = np.array([[0, 128, 255]], np.uint8)
    assert picture((levels / 255).astype(np.float32)[..., None]) == picture(levels)


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 4)),
        np.zeros(4),
        np.zeros((4, 4, 4)),
        np.zeros((2, 4, 4, 3)),
        np.full((2, 2), 1.5),
        np.full((2, 2), np.nan),
        np.full((2, 2), 256),
        np.full((2, 2), -1),
        np.zeros((513, 2), np.uint8),
        np.array([["a"]]),
    ],
)
def test_pixels_of_another_shape_or_range_are_refused(pixels):
    with pytest.raises(DataError, match="picture"):
        picture(pixels)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"<svg onload='alert(1)'/>", b"\x89PNG\r\n\x1a\n", picture(np.eye(2)).png[:20]]
)
def test_bytes_that_begin_otherwise_than_a_png_file_are_refused(content):
    with pytest.raises(DataError, match="a picture is a PNG file"):
        Picture(content)


def test_a_png_file_that_says_it_is_huge_is_refused():
    png = picture(np.eye(2)).png
    with pytest.raises(DataError, match="got 65536 x 2"):
        Picture(png[:16] + (65536).to_bytes(4, "big") + png[20:])
