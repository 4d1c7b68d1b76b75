"""Models between steps are kept like files are: a retraining that two recipes share is done once."""

import json

import numpy as np
import pytest

from compress.build import Store, build_artifact
from compress.pruning.magnitude import Prune
from compress.subject import Dataset, Subject

# Keras 3.15 saves through a Variable.__array__ that has no copy keyword, which numpy 2 deprecates
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def model():
    import keras

    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, name="dense"), keras.layers.Dense(3, name="out")])


def data():
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    return Dataset("tiny", x[:15], np.zeros(15, np.int64), x[15:], np.zeros(5, np.int64))


SUBJECT = Subject("dense", model, data, lambda: "dense-1", parameters=67)


@pytest.fixture
def pruned(monkeypatch):
    """Return the list of the sparsities that were pruned to, in order."""
    made = []
    transform = Prune.transform

    def counted(self, *args, **options):
        made.append(self.sparsity)
        return transform(self, *args, **options)

    monkeypatch.setattr(Prune, "transform", counted)
    return made


def test_recipes_that_begin_alike_share_their_models(tmp_path, pruned):
    store = Store(tmp_path)
    first = build_artifact(store, SUBJECT, "prune(0.5, epochs=0)@keras")
    second = build_artifact(store, SUBJECT, "prune(0.5, epochs=0) | checkpoint@keras")
    assert pruned == [0.5]
    build_artifact(store, SUBJECT, "prune(0.75, epochs=0)@keras")
    assert pruned == [0.5, 0.75]
    assert first.sha256 != second.sha256


def test_the_time_of_a_shared_step_counts_for_every_file_it_is_in(tmp_path):
    store = Store(tmp_path)
    built = [
        build_artifact(store, SUBJECT, f"prune(0.5, epochs=0) | {last}@keras") for last in ("float32", "checkpoint")
    ]
    entries = [json.loads(path.read_text()) for path in tmp_path.rglob("made.json")]
    (step_time_s,) = (entry["step_time_s"] for entry in entries if "step_time_s" in entry)
    assert step_time_s > 0
    assert all(one.compress_time_s > step_time_s for one in built)


def test_a_file_is_the_same_whether_its_model_was_just_made_or_found(tmp_path, pruned):
    text = "prune(0.5, epochs=0) | prune(0.75, epochs=0)@keras"
    at_once = build_artifact(Store(tmp_path / "one"), SUBJECT, text)
    build_artifact(Store(tmp_path / "two"), SUBJECT, "prune(0.5, epochs=0)@keras")
    found = build_artifact(Store(tmp_path / "two"), SUBJECT, text)
    assert pruned == [0.5, 0.75, 0.5, 0.75]
    assert found.sha256 == at_once.sha256
