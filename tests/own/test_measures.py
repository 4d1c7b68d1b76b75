"""Each metric that a ``claims.toml`` may name measures what its name says, in the direction that it says."""

from types import SimpleNamespace

import numpy as np
import pytest

from compress.claims.bound import Estimate
from compress.errors import CompressError
from compress.measure.scores import Scores
from compress.own import measures
from compress.own.measures import MEASURES


def scored(values, samples="the same"):
    kept = Scores(np.array(values, np.float32), samples)
    return SimpleNamespace(
        name="cell",
        score=Estimate(kept.mean, kept.mean, kept.mean, "", len(values)),
        measurement=SimpleNamespace(scores=kept),
    )


def test_a_lost_score_is_a_positive_drop_paired_sample_by_sample():
    cell = scored([0.5, 0.25, 0.75])
    cell.reference = scored([0.75, 0.5, 1.0])

    drop = MEASURES["score_drop"](cell)

    assert (drop.value, drop.low, drop.high, drop.n) == (0.25, 0.25, 0.25, 3)
    assert drop.note == "0.75 before, 0.5 after"


def test_scores_of_other_samples_are_not_paired():
    cell = scored([0.5, 0.25])
    cell.reference = scored([0.75, 0.5], samples="others")

    with pytest.raises(CompressError, match="not scored on the same samples"):
        MEASURES["score_drop"](cell)


def test_latency_is_that_of_the_compressed_file_over_the_float32_ones(monkeypatch):
    def cell(path):
        bench = SimpleNamespace(data=lambda _: SimpleNamespace(evaluation_x=np.zeros((3, 2), np.float32)))
        artifact = SimpleNamespace(path=path, runtime="onnx")
        return SimpleNamespace(artifact=artifact, workbench=bench, subject=None, value=lambda _: 0.0)

    def timed(old, new, *_):
        return SimpleNamespace(ratio={("slow", "fast"): 0.5}[old, new], low=0.4, high=0.6, call_s=0.002, blocks=6)

    monkeypatch.setattr(measures, "time_pair", timed)
    compressed = cell("fast")
    compressed.reference = cell("slow")

    ratio = MEASURES["latency_ratio"](compressed)

    assert (ratio.value, ratio.low, ratio.high, ratio.note) == (0.5, 0.4, 0.6, "1.00 ms against 2.00 ms, 6 blocks")


def test_every_other_metric_is_the_cells_own_of_that_name():
    own = {"accuracy_percent": "accuracy", "accuracy_drop_points": "accuracy_drop"}
    computed = ("size_ratio", "gzip_ratio", "accuracy", "accuracy_drop", "score")
    cell = SimpleNamespace(value=lambda name: f"value of {name}", **{name: name for name in computed})

    for name in MEASURES.keys() - {"latency_ratio", "score_drop"}:
        expected = own.get(name, name)
        assert MEASURES[name](cell) == (expected if expected in computed else f"value of {name}")
