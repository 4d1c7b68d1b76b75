"""Pictures of shapes, drawn by a seed: there is nothing to download, and they are the same on every machine."""

from __future__ import annotations

import numpy as np

SIDE = 24
KINDS = ("circle", "square", "triangle", "cross")


def draw(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures ``(n, 24, 24, 1)`` uint8, kinds of shapes ``(n,)`` and centres ``(n, 2)``, y and x."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(len(KINDS), size=n)
    centres = rng.uniform(8, SIDE - 8, size=(n, 2))
    radii = rng.uniform(3.5, 6.5, size=n)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    pictures = np.empty((n, SIDE, SIDE, 1), np.uint8)
    for number in range(n):
        y, x = rows - centres[number, 0], columns - centres[number, 1]
        inside = _inside(KINDS[kinds[number]], y / radii[number], x / radii[number])
        paper, ink = rng.uniform(20, 110), rng.uniform(130, 235)
        picture = np.where(inside, ink, paper) + rng.normal(0, 16, (SIDE, SIDE))
        pictures[number, ..., 0] = picture.clip(0, 255)
    return pictures, kinds, centres


def _inside(kind: str, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    if kind == "circle":
        return y**2 + x**2 < 1
    if kind == "square":
        return np.maximum(abs(y), abs(x)) < 0.9
    if kind == "triangle":
        return (y < 0.8) & (abs(x) < 0.55 * (y + 1))
    return (np.minimum(abs(y), abs(x)) < 0.35) & (np.maximum(abs(y), abs(x)) < 1)


def classified() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures and kinds to train on, and 1,000 others to be scored on."""
    (train_x, train_y, _), (test_x, test_y, _) = draw(4000, seed=1), draw(1000, seed=2)
    return train_x, train_y, test_x, test_y


def located() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return pictures in 0 to 1 and centres in pixels, likewise."""
    (train_x, _, train_y), (test_x, _, test_y) = draw(4000, seed=3), draw(1000, seed=4)
    return _scaled(train_x), train_y.astype(np.float32), _scaled(test_x), test_y.astype(np.float32)


def _scaled(pictures: np.ndarray) -> np.ndarray:
    return pictures.astype(np.float32) / np.float32(255)
