"""Hands the suite's subjects over; the fixtures come with compress-bench."""

from shapes.subjects import locator


def pytest_compress_subjects():
    """Return what is compressed here, beside the subjects of ``claims.toml``."""
    return [locator()]
