"""The quality gate: the smallest drop of accuracy that McNemar's exact test finds nine times in ten."""

from __future__ import annotations

import pytest

from compress.claims.bound import between
from compress.claims.claim import claim
from compress.claims.statistics import minimum_detectable_drop

DETECTABLE = [
    (500, 1, 3.24),
    (500, 2, 3.87),
    (500, 5, 5.16),
    (1000, 1, 1.94),
    (1000, 2, 2.40),
    (1000, 5, 3.32),
    (2000, 1, 1.20),
    (2000, 2, 1.53),
    (2000, 5, 2.19),
    (10000, 1, 0.44),
    (10000, 2, 0.59),
    (10000, 5, 0.88),
]
"""Samples, discordance by chance in percent, detectable drop in points: summed exactly, by another program."""


def _as_printed(points):
    return between(points - 0.005, points + 0.005, why="the exact sum over the number of discordant samples, rounded")


@claim("gate/detectable-drop", _as_printed)
@pytest.mark.parametrize(("samples", "discordance_percent", "points"), DETECTABLE)
def test_the_detectable_drop_is_the_exact_one(samples, discordance_percent, points):  # noqa: ARG001 - the bound's
    return 100 * minimum_detectable_drop(samples, discordance_percent / 100)
