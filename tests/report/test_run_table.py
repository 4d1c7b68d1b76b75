"""The table of ``compress-bench run`` says which number is of all samples and which is their mean."""

from compress.report.run_table import Row, judged_name, lines_of

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
