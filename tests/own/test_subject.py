"""A model file and its data make a subject that any recipe of its format is measured on, in another process too."""

import pickle

import numpy as np
import pytest

from compress.errors import DataError, RecipeError
from compress.own import DataOptions, own_subject, propose_recipes
from compress.subject import Subject
from tests.own_models import CLASSES, FORMATS


@pytest.fixture
def labelled(arrays, x, y):
    return arrays(x=x, y=y)


def test_labels_of_a_classifier_make_accuracy_the_metric(models, labelled):
    subject = own_subject(models / "small.onnx", labelled)
    assert (subject.task, subject.score, subject.name) == ("classification", None, "small")


@pytest.mark.parametrize("labels", [None, "floats", "beyond"])
def test_without_classes_the_metric_is_fidelity_to_the_float_model(models, arrays, x, y, labels):
    given = {"x": x} | ({} if labels is None else {"y": y + 0.5 if labels == "floats" else y + CLASSES})
    subject = own_subject(models / "small.onnx", arrays(**given))
    assert (subject.task, subject.score.name) == ("fidelity", "sqnr_db")


def test_a_metric_that_needs_labels_is_refused_without_them(models, arrays, x):
    with pytest.raises(DataError, match="has no labels, which metric top_5 needs"):
        own_subject(models / "small.onnx", arrays(x=x), metric="top_5")


@pytest.mark.parametrize("name", FORMATS)
def test_a_subject_travels_to_another_process(models, labelled, name):
    subject = pickle.loads(pickle.dumps(own_subject(models / name, labelled)))
    assert subject == own_subject(models / name, labelled)
    assert subject.identity() == own_subject(models / name, labelled).identity()


def test_the_identity_is_that_of_model_samples_and_split(models, arrays, x, y, tmp_path):
    def identity(x=x, y=y, content=b"", **options):
        path = tmp_path / "model.onnx"
        path.write_bytes((models / "small.onnx").read_bytes() + content)
        return own_subject(path, arrays(x=x, y=y), options=DataOptions(**options)).identity()

    # an unknown field of a protocol buffer changes the content and not the model
    found = [identity(), identity(x=x + 1), identity(y=y[::-1]), identity(seed=1), identity(content=b"\x82\x7d\x01a")]
    assert len(set(found)) == len(found)
    assert identity() == found[0]


@pytest.mark.parametrize(
    ("name", "runtimes", "prunes"),
    [
        ("small.keras", {"litert", "onnx"}, True),
        ("small.h5", {"litert", "onnx"}, True),
        ("small", {"litert", "onnx"}, False),
        ("small.tflite", {"litert"}, False),
        ("small.onnx", {"onnx"}, False),
    ],
)
def test_recipes_are_proposed_for_what_a_format_can_become(models, labelled, name, runtimes, prunes):
    recipes = propose_recipes(own_subject(models / name, labelled))
    assert {recipe.runtime for recipe in recipes} == runtimes
    assert any(recipe.transforms for recipe in recipes) == prunes
    assert all(recipe.reference() in recipes for recipe in recipes)


def test_integer_recipes_calibrate_on_no_more_samples_than_there_are(models, arrays, x):
    proposed = [str(recipe) for recipe in propose_recipes(own_subject(models / "small.onnx", arrays(x=x)))]
    assert "int8(20)@onnx" in proposed
    many = np.concatenate([x] * 5)
    proposed = [str(recipe) for recipe in propose_recipes(own_subject(models / "small.onnx", arrays(x=many)))]
    assert "int8@onnx" in proposed


def test_a_model_without_labels_is_not_pruned_as_that_retrains(models, arrays, x):
    assert not any(one.transforms for one in propose_recipes(own_subject(models / "small.keras", arrays(x=x))))


def test_recipes_are_proposed_for_model_files_only():
    with pytest.raises(RecipeError, match="'other' is none"):
        propose_recipes(Subject("other", lambda: None, lambda: None, str, 0))
