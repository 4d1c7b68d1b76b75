"""Saxena et al. 2024, IV-C, on an encoder that others have trained: MiniLM's embeddings, quantized (S09).

Without labels: how near each sentence's embedding stays to the float32 file's, and in which order it ranks the others.
Trained encoders have activations far from all others (Bondarenko et al. 2021, section 3), which seeded weights lack.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from compress.claims.bound import Bound, at_least, at_most, between
from compress.claims.claim import claim
from compress.suite import PrintedTable
from compress.workbench import Cell

pytestmark = pytest.mark.scale("paper")

WEIGHTS = 22_387_200
"""Parameters that a file of 48 tokens holds: 22,713,216 less the pooler's 147,840 and 464 positions of 384."""
KERNELS = 6 * (4 * 384 * 384 + 2 * 384 * 1_536)
"""Values of the dense layers, which ONNX Runtime's dynamic quantization takes; LiteRT takes the vocabulary too."""
EMBEDDED = 30_522 * 384

SUBJECTS = ["minilm", "minilm_mrpc"]
"""On statements of a grammar, and on the news of MRPC where its files are."""
LIGHT = ["dynamic_range", "float16", "dynamic_range@onnx", "float16@onnx"]
INTEGER = ["int8", "int8(engine=ai_edge)", "int8@onnx", "int16x8(engine=ai_edge)"]
MASKED = ["int8(masks=kept)", "int8(engine=ai_edge, masks=kept)", "int8(masks=kept)@onnx"]
"""Integers whose ranges take in what Keras masks attention with."""

every_subject = pytest.mark.parametrize("subject", SUBJECTS)


def told(cell: Cell, report_table: Callable[..., PrintedTable]) -> Cell:
    """Return `cell`, told of in the report."""
    table = report_table(
        "a pretrained encoder, n=240 sentences: each embedding against float32's, and the order it ranks the others in",
        ("subject", "recipe", "cosine", "rank agreement", "size ratio"),
    )
    figures = f"{cell.value('cosine_similarity'):.5f}", f"{cell.score.value:.4f}", f"{cell.size_ratio:.3f}"
    table.rows.append((cell.subject.name, str(cell.recipe), *figures))
    return cell


def stays_near(recipe: str) -> Bound:
    if recipe.startswith("float16"):
        return at_least(0.99999, why="11 bits of significand: angles of 1e-3 at most, cosines 5e-7 short of 1")
    if recipe == "dynamic_range@onnx":
        return at_least(0.98, why="activations share 255 levels a tensor, stretched by the outliers; 0.993 measured")
    return at_least(
        0.995, why="a scale a channel, and one a tensor as it comes: 0.9987 measured; 0.35 if masks were in it"
    )


@claim("saxena2024/IV-C/distilbert-dynamic", "saxena2024/IV-C/distilbert-float16", stays_near, kind="trend")
@every_subject
@pytest.mark.parametrize("recipe", LIGHT)
def test_an_embedding_stays_where_it_was(subject, recipe, compressed, report_table):
    return told(compressed(subject, recipe), report_table).value("cosine_similarity")


def ranks_alike(recipe: str) -> Bound:
    if recipe.startswith("float16"):
        return at_least(0.9999, why="only similarities that differ by 1e-4 can change places; 0 if weights were lost")
    return at_least(
        0.98, why="rank correlation with float32 over 239 others, n=240: near ones change places, not far ones"
    )


@claim("saxena2024/IV-C/distilbert-dynamic", "saxena2024/IV-C/distilbert-float16", ranks_alike, kind="trend")
@every_subject
@pytest.mark.parametrize("recipe", LIGHT)
def test_sentences_are_ranked_as_before(subject, recipe, compressed):
    return compressed(subject, recipe).score


@claim(
    "saxena2024/table-VI",
    at_most(
        0.6,
        why="rank agreement; F1 0.05 of 0.79 printed. Keras puts -2e38 where no attention is due, the calibrated range "
        "takes it in, and all scores round to one level: 0.44 to 0.48; with bounded masks 0.70 to 0.75",
    ),
    kind="trend",
)
@every_subject
@pytest.mark.parametrize("recipe", MASKED)
def test_int8_forgets_what_it_attended_to(subject, recipe, compressed, report_table):
    return told(compressed(subject, recipe), report_table).score


def still_ranks(recipe: str) -> Bound:
    if recipe.startswith("int16x8"):
        return at_least(0.98, why="rank agreement of 16-bit activations, 0.998; those of 8 bits are at 0.7")
    return at_least(
        0.6, why="rank agreement, 0.70 to 0.75: the outliers of its activations share 255 levels; 0.44 if masks do too"
    )


@claim("saxena2024/table-VI", still_ranks, kind="trend")
@every_subject
@pytest.mark.parametrize("recipe", INTEGER)
def test_integers_with_bounded_masks_still_rank(subject, recipe, compressed, report_table):
    return told(compressed(subject, recipe), report_table).score


@claim(
    "saxena2024/IV-C/distilbert-size",
    between(1, 1.001, why=f"4 bytes for each of {WEIGHTS:,} parameters; a graph of 60 kB; 1.007 with the pooler"),
    kind="number",
)
@pytest.mark.parametrize("runtime", ["litert", "onnx"])
def test_a_float32_file_is_four_bytes_a_parameter(runtime, compressed):
    return compressed("minilm", "float32" if runtime == "litert" else f"float32@{runtime}").raw_bytes / (4 * WEIGHTS)


def expected_bytes(recipe: str) -> int:
    """Return the bytes of all values: weights of two dimensions at the recipe's width, the rest as it keeps them."""
    integers = EMBEDDED + KERNELS
    if recipe.startswith("float16"):
        return 2 * WEIGHTS
    if recipe == "int8":
        return integers + 48 * 384 + 2 * 384 + 4 * (WEIGHTS - integers - 50 * 384)
    return integers + 4 * (WEIGHTS - integers)


@claim(
    "saxena2024/IV-C/distilbert-size",
    between(
        1, 1.012, why="scales of 20,736 channels, zero points and the graph are 0.2 of 22.5 MB; 3.9 if unquantized"
    ),
    kind="number",
)
@pytest.mark.parametrize(
    "recipe", ["dynamic_range", "float16", "int8", "dynamic_range@onnx", "float16@onnx", "int8@onnx"]
)
def test_a_files_size_follows_from_its_parameters(recipe, compressed):
    return compressed("minilm", recipe).raw_bytes / expected_bytes(recipe)


def smaller(recipe: str) -> Bound:
    if recipe.startswith("float16"):
        return between(1.99, 2, why="half of every value; the graph stays (2x printed)")
    return between(3.9, 4, why="a quarter of every value but biases, norms and scales (4x printed)")


@claim("saxena2024/IV-C/distilbert-size", smaller, kind="trend")
@pytest.mark.parametrize("recipe", LIGHT)
def test_dynamic_range_is_four_times_smaller_and_float16_two(recipe, compressed):
    return compressed("minilm", recipe).size_ratio
