"""Train both networks and write them to ``models``: ``python -m shapes.train``, half a minute."""

from __future__ import annotations

import argparse
from pathlib import Path

from shapes.data import KINDS, SIDE, classified, located

MODELS = Path(__file__).parents[1] / "models"


def classifier(epochs: int):
    """Return the network that names a shape, trained; it rescales its pictures itself."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [keras.Input((SIDE, SIDE, 1)), layers.Rescaling(1 / 255), *_trunk(), layers.Dense(len(KINDS), "softmax")],
        name="shapes",
    )
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
    x, y, test_x, test_y = classified()
    model.fit(x, y, batch_size=64, epochs=epochs, validation_data=(test_x, test_y), verbose=2)
    return model


def locator(epochs: int):
    """Return the network that says where a shape's centre is, in pixels, trained."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((SIDE, SIDE, 1)), *_trunk(), layers.Dense(2)], name="locator")
    model.compile(keras.optimizers.Adam(2e-3), "mean_absolute_error")
    x, y, test_x, test_y = located()
    model.fit(x, y, batch_size=64, epochs=epochs, validation_data=(test_x, test_y), verbose=2)
    return model


def _trunk():
    from keras import layers

    return [
        layers.Conv2D(12, 3, strides=2, activation="relu"),
        layers.Conv2D(24, 3, strides=2, activation="relu"),
        layers.Flatten(),
        layers.Dense(40, activation="relu"),
    ]


def main() -> None:
    """Train what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("shapes", "locator"))
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args()
    import keras

    for name, train in (("shapes", classifier), ("locator", locator)):
        if given.only in (None, name):
            keras.utils.set_random_seed(0)
            model = train(given.epochs)
            keras.Model(model.inputs, model.outputs, name=name).save(MODELS / f"{name}.keras")  # no optimizer's slots
            print(f"wrote {MODELS / name}.keras, {model.count_params():,} parameters")  # noqa: T201 - a command


if __name__ == "__main__":
    main()
