"""Models between steps are kept like files are: a retraining that two recipes share is done once."""

import dataclasses
import json
import time

import numpy as np
import pytest

from compress.build import build_artifact, find_artifact
from compress.conversions import conversions_of
from compress.errors import CompressError
from compress.kept import Kept
from compress.pruning.magnitude import Prune
from compress.quantization.export import Float32
from compress.recipe import STEPS, Recipe
from compress.store import Store
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


def told(artifact):
    return [(one.step, one.name, one.over, one.x) for one in artifact.curves]


@pytest.mark.parametrize("kept", [None, Kept()], ids=["a process each", "one process"])
def test_a_file_carries_what_its_trainings_recorded_whether_they_ran_or_were_found(tmp_path, pruned, kept):
    store, text = Store(tmp_path), "prune(0.5, epochs=3) | retrain(2)"
    made = build_artifact(store, SUBJECT, f"{text}@keras", kept)
    zeros = "zeros in the kernels, %"
    assert told(made) == [
        ("prune(0.5, epochs=3)", "loss", "epochs", (1, 2, 3)),
        ("prune(0.5, epochs=3)", zeros, "epochs", (1, 2, 3)),
        ("retrain(2)", "loss", "epochs", (1, 2)),
    ]
    assert made.curves[1].y[-1] == 50
    assert build_artifact(store, SUBJECT, f"{text} | checkpoint@keras", kept).curves == made.curves
    assert find_artifact(store, SUBJECT, Recipe.parse(f"{text}@keras")).curves == made.curves
    assert pruned == [0.5]
    assert build_artifact(store, SUBJECT, "float32@keras", kept).curves == ()


SHARING = ("float32", "dynamic_range", "int8(2)", "int8(2, engine=ai_edge)", "float32@onnx", "int8(2)@onnx")


@pytest.fixture
def exports(monkeypatch):
    """Return the list of the formats that models were converted to, in order."""
    from compress.quantization import litert, onnxruntime

    made = []
    traced, converted = litert._traced, onnxruntime._converted
    monkeypatch.setattr(litert, "_traced", lambda *given, **named: made.append("tflite") or traced(*given, **named))
    monkeypatch.setattr(
        onnxruntime, "_converted", lambda *given, **named: made.append("onnx") or converted(*given, **named)
    )
    return made


def test_recipes_of_one_model_share_its_data_its_building_and_its_conversions(tmp_path, exports):
    made = []
    subject = dataclasses.replace(
        SUBJECT, model=lambda: made.append("model") or model(), data=lambda: made.append("data") or data()
    )
    kept = Kept()
    shared = [build_artifact(Store(tmp_path / "shared"), subject, text, kept) for text in SHARING]
    assert made == ["data", "model"]
    assert exports == ["tflite", "onnx"]
    alone = [build_artifact(Store(tmp_path / "alone"), SUBJECT, text) for text in reversed(SHARING)]
    assert len(exports) == 2 + len(SHARING)
    assert [one.sha256 for one in shared] == [one.sha256 for one in reversed(alone)]


def test_recipes_that_begin_alike_share_the_conversions_of_their_changed_model(tmp_path, exports):
    kept = Kept()
    for text in ("prune(0.5, epochs=0)", "float32", "prune(0.5, epochs=0) | dynamic_range"):
        build_artifact(Store(tmp_path), SUBJECT, text, kept)
    assert exports == ["tflite", "tflite"]


CLOCK = [0.0]


@dataclasses.dataclass(frozen=True)
class Slow:
    """A file that begins with 5 s of conversion and goes on for `seconds`, by `CLOCK`."""

    seconds: float

    runtimes = frozenset({"keras"})

    def export(self, model, data, *, runtime, seed):  # noqa: ARG002
        conversions_of(model).once("slow", lambda: pass_seconds(5))
        pass_seconds(self.seconds)
        return b"content"


def pass_seconds(seconds):
    CLOCK[0] += seconds


def test_a_files_time_counts_what_it_shared(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "perf_counter", lambda: CLOCK[0])
    monkeypatch.setitem(STEPS, "slow", f"{__name__}:Slow")
    kept = Kept()
    built = [build_artifact(Store(tmp_path), SUBJECT, f"slow({seconds})@keras", kept) for seconds in (1, 2, 3)]
    assert [one.compress_time_s for one in built] == [6, 7, 8]


def test_one_subject_is_kept_at_a_time(tmp_path):
    kept = Kept()
    given = []
    for name in ("one", "two", "one"):
        subject = dataclasses.replace(SUBJECT, name=name)
        build_artifact(Store(tmp_path), subject, f"prune(0.{len(given) + 1}, epochs=0)@keras", kept)
        given.append(kept.given(subject)[1].model)
    assert len({id(one) for one in given}) == 3


def test_a_subject_whose_identity_changed_is_made_again(tmp_path):
    kept = Kept()
    build_artifact(Store(tmp_path), SUBJECT, "float32@keras", kept)
    _, first = kept.given(SUBJECT)
    assert kept.given(SUBJECT)[1] is first
    assert kept.given(dataclasses.replace(SUBJECT, identity=lambda: "dense-2"))[1] is not first


@pytest.mark.parametrize("text", ["prune(0.5, epochs=0)@keras", "float32@keras"])
def test_a_step_that_writes_to_the_model_it_was_given_is_refused_and_spoils_no_other(tmp_path, monkeypatch, text):
    kept = Kept()
    before = build_artifact(Store(tmp_path / "one"), SUBJECT, "float32@keras", kept).sha256
    step = Prune if text.startswith("prune") else Float32
    method = "transform" if step is Prune else "export"
    original = getattr(step, method)

    def careless(self, model, *args, **options):
        model.layers[0].kernel.assign(model.layers[0].kernel * 2)
        return original(self, model, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(step, method, careless)
        with pytest.raises(CompressError, match="a step changed the model that it was given"):
            build_artifact(Store(tmp_path / "two"), SUBJECT, text, kept)
    assert build_artifact(Store(tmp_path / "two"), SUBJECT, "float32@keras", kept).sha256 == before
