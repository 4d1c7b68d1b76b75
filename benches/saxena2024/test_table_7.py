"""Saxena et al. 2024, Table VII and IV-D, measured: a quantized CycleGAN generator (S06, S08, S10).

What it costs is asked of a slim pair that translates digits into photographs and back. Its Fréchet distance is between
500 made pictures and 500 real ones, in the features of a classifier of our own: no value of it stands beside the
paper's, only ratios do. Sizes and speed of the full generator are the paper scale's.
"""

from __future__ import annotations

import pytest

from benches.saxena2024.float_operations import float_operations
from benches.saxena2024.generators import N, against_float, distance
from benches.saxena2024.printed import MODES, ORIGINAL, cells
from compress.claims.bound import at_least, at_most, exactly, is_true
from compress.claims.claim import claim
from compress.workbench import side_by_side_pictures

pytestmark = pytest.mark.scale("embedded")

PRINTED = {"float32": ORIGINAL, "dynamic_range": MODES["dynamic"], "float16": MODES["float16"], "int8": MODES["int8"]}
FLOAT = [
    "dynamic_range",
    "dynamic_range(engine=ai_edge)",
    "dynamic_range@onnx",
    "float16",
    "float16(engine=ai_edge)",
    "float16@onnx",
]
INT8 = ["int8", "int8(engine=ai_edge)", "int8@onnx"]
INT16X8 = ["int16x8", "int16x8(engine=ai_edge)", "int16x8@onnx"]
CELLS = [
    *(("cyclegan", recipe) for recipe in ("float32", "float32@onnx", *FLOAT, *INT8, *INT16X8)),
    *(("cyclegan_digits", recipe) for recipe in ("float32", "dynamic_range", "float16", *INT8)),
]
"""The other direction has the same layers, so what takes longest is asked of one."""

TOLD_APART = ("TRANSPOSE_CONV", "ConvTranspose", "RSQRT", "Sqrt", "MIRROR_PAD", "Pad")
"""What a generator has beside convolutions, by runtime: upsampling, a normalisation's root, padding by reflection."""


def of(*recipes: str):
    """Return the mark of the cells of `recipes`."""
    return pytest.mark.parametrize(("subject", "recipe"), [cell for cell in CELLS if cell[1] in recipes])


@claim(
    "saxena2024/table-VII",
    at_least(2, why=f"times nearer to the other domain than the untranslated pictures are; {N}"),
    kind="trend",
)
@of("float32")
def test_the_float_generator_translates(subject, recipe, compressed):
    from fixtures.digit_features import frechet_from_real

    cell = compressed(subject, recipe)
    data = cell.workbench.data(cell.subject)
    return frechet_from_real(data.evaluation_x, data.evaluation_y) / distance(cell)


@claim(
    "saxena2024/IV-D/fid-minimal",
    "saxena2024/table-VII",
    at_most(1.05, why=f"times the float32 file's distance; 1.105 and 1.107 printed (S10); {N}"),
    kind="trend",
)
@of(*FLOAT)
def test_dynamic_range_and_float16_move_made_pictures_little(subject, recipe, compressed):
    return against_float(compressed(subject, recipe))


@claim(
    "saxena2024/IV-D/fid-int8",
    "saxena2024/table-VII",
    at_most(1.3, why=f"times the float32 file's distance; 2.47 printed (S10): calibrated, it does not double; {N}"),
    kind="refuted",
)
@of(*INT8, *INT16X8)
def test_integers_make_pictures_nearly_as_real(subject, recipe, compressed):
    return against_float(compressed(subject, recipe))


@claim(
    "saxena2024/table-VII",
    exactly(0, why="operations on float32 in a file of integers: an unsupported layer would fall back to floats"),
)
@of("int8", "int8(engine=ai_edge)", "int16x8", "int16x8(engine=ai_edge)")
def test_no_operation_of_a_generator_stays_float(subject, recipe, compressed):
    return sum(float_operations(compressed(subject, recipe)).values())


@claim("saxena2024/table-VII", is_true(why="whatever was made of a picture is a picture of its size"))
@pytest.mark.parametrize(("subject", "recipe"), CELLS)
def test_every_generator_recipe_beside_the_paper(subject, recipe, compressed, report_table, report_figure):
    cell = compressed(subject, recipe)
    row = PRINTED.get(recipe)
    printed = cells("VII", "Average PID Score")
    report_table(
        "Saxena et al., Table VII, and a slim CycleGAN beside it: distances are in other features, only ratios compare",
        ("subject", "recipe", "FID: paper", "over original", "distance here", "over float32", "dB", "kB", "smaller"),
    ).rows.append(
        (
            subject,
            recipe,
            f"{printed[row]:g}" if row else "-",
            f"{printed[row] / printed[ORIGINAL]:.2f}" if row else "-",
            f"{distance(cell):.2f}",
            f"{distance(cell) / distance(cell.reference):.3f}",
            f"{cell.score.value:.1f}",
            f"{cell.raw_bytes / 1e3:.0f}",
            f"{cell.size_ratio:.2f}",
        )
    )
    if subject == "cyclegan":
        operations, left = cell.measurement.values["ops"], float_operations(cell)
        report_table(
            "A generator's layers, and its operations on float32, of which ONNX Runtime fuses those between int8 casts",
            ("recipe", "layers beside convolutions", "on float32", "of operations"),
        ).rows.append(
            (
                recipe,
                ", ".join(f"{name} {operations[name]}" for name in TOLD_APART if name in operations),
                ", ".join(f"{name} {count}" for name, count in sorted(left.items())) or "none",
                f"{sum(left.values())} of {sum(operations.values())}",
            )
        )
    if cell is not cell.reference and cell.recipe.runtime == "litert" and "engine" not in recipe:
        report_figure(
            f"what {subject} makes of the first pictures, by recipe (Figure 17)",
            note="From the left: the pictures given, the float32 file's, and each compressed file's.",
        ).add_all(side_by_side_pictures(cell))
    return cell.measurement.outputs.shape == cell.workbench.data(cell.subject).evaluation_y.shape
