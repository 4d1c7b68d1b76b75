"""A file whose metric is of all samples together is measured both ways, and a claim may be about either."""

from dataclasses import replace

import numpy as np
import pytest

from compress.claims.claims_toml import schema
from compress.errors import CompressError
from compress.measure.fidelity import PSNR_CEILING_DB
from compress.measure.frechet import frechet_distance
from compress.measure.quality import Judge, find_judge
from compress.measure.text.tokens import corpus_nist
from compress.own.measures import MEASURES
from compress.subject import Dataset
from compress.workbench import Workbench
from tests.tiny_subject import subject

IDS = np.random.default_rng(0).integers(-4, 9, (30, 4))
LABELS = np.where(IDS[:, :3] == 8, 7, IDS[:, :3])
"""What the model below answers, but for a token that it gets wrong."""


def first_three() -> np.ndarray:
    """Return the matrix whose product with four token ids is the first three."""
    return np.eye(4, 3, dtype=np.float32)


def ids() -> Dataset:
    return Dataset("ids", IDS[:5].astype(np.float32), LABELS[:5], IDS[5:].astype(np.float32), LABELS[5:])


def identity() -> str:
    return "ids"


def answering(metric):
    found = replace(subject(metric), model=first_three, data=ids, identity=identity, task="generation")
    return replace(found, score=find_judge(metric))


@pytest.mark.usefixtures("tiny_steps")
def test_a_file_has_the_score_of_all_samples_beside_their_mean(tmp_path):
    bench = Workbench([answering("nist"), answering("rouge_1")], tmp_path)
    try:
        whole, erased = (bench.compressed("nist", f"{recipe}@onnx") for recipe in ("float32", "rounded(2)"))
        expected = corpus_nist(IDS[5:, :3], LABELS[5:])
        assert MEASURES["overall_score"](whole) == pytest.approx(expected)
        assert MEASURES["score"](whole).value == pytest.approx(
            find_judge("nist")(IDS[5:, :3], LABELS[5:]).mean(), abs=1e-3
        )
        assert abs(MEASURES["score"](whole).value - expected) > 0.01
        assert MEASURES["overall_score"](erased) < expected
        with pytest.raises(CompressError, match="overall_score was not measured"):
            MEASURES["overall_score"](bench.compressed("rouge_1", "float32@onnx"))
    finally:
        bench.close()


@pytest.mark.usefixtures("tiny_steps")
def test_all_samples_may_be_held_against_something_else_than_each_is_by_a_metric_of_their_own(tmp_path):
    judge = Judge(
        "frechet",
        "compress.measure.fidelity:psnr_db",
        "reference",
        "dB",
        overall="compress.measure.frechet:frechet_distance",
        overall_against="labels",
        overall_metric="frechet_distance",
    )
    bench = Workbench([replace(answering("nist"), name="frechet", score=judge)], tmp_path)
    try:
        whole, erased = (bench.compressed("frechet", f"{recipe}@onnx") for recipe in ("float32", "rounded(2)"))
        expected = frechet_distance(IDS[5:, :3], LABELS[5:])
        assert MEASURES["frechet_distance"](whole) == pytest.approx(expected)
        assert MEASURES["score"](whole).value == PSNR_CEILING_DB  # the float32 file against itself
        assert MEASURES["score"](erased).value < PSNR_CEILING_DB
        assert MEASURES["frechet_distance"](erased) != pytest.approx(expected)
        assert "overall_score" not in whole.measurement.values
    finally:
        bench.close()


def test_a_claims_file_may_claim_whatever_is_measured():
    assert set(schema()["properties"]["claim"]["items"]["properties"]["metric"]["enum"]) == set(MEASURES)
