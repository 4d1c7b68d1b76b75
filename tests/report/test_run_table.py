"""The table of ``compress-bench run`` says which number is of all samples and which is their mean."""

from types import SimpleNamespace

import numpy as np
import pytest

from compress.claims.bound import Estimate
from compress.report.run_table import Row, judged_name, lines_of, row_of

MEASURED = Row(
    "int8", "litert", raw_bytes=10, gzip_bytes=9, size_ratio=4.0, quality=0.5, quality_low=0.4, quality_high=0.6
)


def test_a_score_of_all_samples_has_a_column_beside_their_mean():
    row = Row(**{**vars(MEASURED), "overall_score": 0.25})
    heading, line = lines_of([row, MEASURED], "map_50", "")[:2]
    assert judged_name([row], "map_50") == "mean map_50 of samples"
    assert heading.index("  map_50  ") < heading.index("mean map_50 of samples")
    assert line.split()[-4:] == ["0.2500", "0.5000", "[0.4000,", "0.6000]"]


def test_a_metric_that_is_a_mean_has_one_column():
    heading, line = lines_of([MEASURED], "top_5", "")
    assert heading.split() == ["recipe", "bytes", "x", "gzip", "top_5", "call", "µs", "peak", "MB"]
    assert line.split()[-3:] == ["0.5000", "[0.4000,", "0.6000]"]


@pytest.mark.parametrize("scored", [True, False])
def test_a_row_holds_the_quality_of_each_sample_to_be_paired_by(scored):
    each = np.array([1, 0, 1], np.float32)
    measurement = SimpleNamespace(
        values={},
        was_run=True,
        scores=SimpleNamespace(values=each) if scored else None,
        outcomes=None if scored else SimpleNamespace(correct=each.astype(bool)),
    )
    cell = SimpleNamespace(
        recipe=SimpleNamespace(runtime="litert"),
        raw_bytes=1,
        gzip_bytes=1,
        size_ratio=1.0,
        artifact=SimpleNamespace(sha256="", path=""),
        measurement=measurement,
        quality=Estimate(2 / 3, 0.1, 0.9),
    )
    cell.reference = cell

    np.testing.assert_array_equal(row_of(cell).each, each, strict=True)
