"""What is measured: every metric's name, unit, nature, and which direction is worse.

The nature decides how a change is judged: *exact* metrics are compared as they are, *quality* is paired on the same
samples, *time* and *memory* belong to a machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Nature = Literal["exact", "quality", "time", "memory"]
Better = Literal["lower", "higher", "same"]


@dataclass(frozen=True)
class Metric:
    """A metric: ``better`` says which way is an improvement; ``same`` means that any change has to be accepted.

    ``tolerance_fraction`` is the relative worsening of an exact metric that is still called equal.
    """

    name: str
    unit: str
    nature: Nature
    better: Better
    is_what: str
    tolerance_fraction: float = 0.0


METRICS = {
    metric.name: metric
    for metric in (
        Metric("raw_bytes", "bytes", "exact", "lower", "size of the file"),
        # retrained weights differ in their last bits between processors, and so does what gzip makes of them
        Metric("gzip_bytes", "bytes", "exact", "lower", "size of the file after gzip, level 9", 0.01),
        Metric("weight_bytes", "bytes", "exact", "lower", "constant tensors, biases included"),
        Metric("scale_bytes", "bytes", "exact", "same", "quantization scales and zero points"),
        Metric("index_bytes", "bytes", "exact", "lower", "codebook and sparse indices"),
        Metric("metadata_bytes", "bytes", "exact", "lower", "graph, names, padding: all other bytes"),
        Metric("weight_elements_by_dtype", "elements", "exact", "same", "constant tensors' elements by storage type"),
        Metric("scales", "scales", "exact", "same", "number of quantization scales"),
        Metric("multiply_adds", "multiply-adds", "exact", "lower", "of convolutions and matrix products, one sample"),
        Metric("ops", "operators", "exact", "same", "operators of the graph by kind"),
        Metric(
            "sparsity", "fraction", "exact", "higher", "zeros among the elements of weights of two or more dimensions"
        ),
        Metric("accuracy", "fraction", "quality", "higher", "top-1 accuracy on the evaluation samples"),
        Metric("top_5_accuracy", "fraction", "quality", "higher", "label among the five largest outputs"),
        Metric("mse", "", "quality", "lower", "mean squared difference of outputs from the float32 file's"),
        Metric("psnr_db", "dB", "quality", "higher", "outputs against the float32 file's: peak signal to noise, mean"),
        Metric("cosine_similarity", "", "quality", "higher", "of outputs and the float32 file's, mean"),
        Metric("score", "", "quality", "higher", "mean of the subject's own score of each evaluation sample"),
        Metric("overall_score", "", "quality", "higher", "the subject's own score of all samples together, as mAP is"),
        Metric("frechet_distance", "", "quality", "lower", "of made pictures from real ones, in a network's features"),
        Metric("output_sqnr_db", "dB", "quality", "higher", "outputs against the float32 file's: signal to noise"),
        Metric("compress_time_s", "s", "time", "lower", "wall time of all steps of the recipe"),
        Metric("load_time_s", "s", "time", "lower", "opening the file in a fresh process, until it can be called"),
        Metric("latency_s", "s", "time", "lower", "one inference of one sample, one thread: median"),
        Metric(
            "generation_time_s", "s", "time", "lower", "a whole answer, prompt and all its tokens, one thread: mean"
        ),
        Metric("peak_memory_bytes", "bytes", "memory", "lower", "largest resident set of the inference process"),
    )
}
