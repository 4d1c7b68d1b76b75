"""Saxena et al. 2024, Table VII, measured: sizes and speed of the paper's own CycleGAN generator (S08, S10).

Its 11,378,179 parameters are seeded: neither sizes nor latency depend on them. Integers are calibrated with 8 pictures
instead of 100, as each takes seconds; that moves scales, and no byte of the size.
"""

from __future__ import annotations

import pytest

from benches.saxena2024.latency import latency_ratio
from benches.saxena2024.printed import MODES, ORIGINAL, QUALITY, cells, latency_ratios
from compress.claims.bound import at_most, between, is_true
from compress.claims.claim import claim

pytestmark = pytest.mark.scale("paper")

INT8 = "int8(8)"
PRINTED = {"float32": ORIGINAL, "dynamic_range": MODES["dynamic"], "float16": MODES["float16"], INT8: MODES["int8"]}
SLOWER = {mode: latency_ratios()["VII", mode] for mode in MODES}

generator = pytest.mark.parametrize("subject", ["cyclegan"])


@claim(
    "saxena2024/table-VII",
    between(0.95, 1.05, why="bytes over the printed MB: 11,378,179 parameters at 4, 1, 2 and 1 bytes; unquantized 3.9"),
    kind="number",
)
@generator
@pytest.mark.parametrize("recipe", PRINTED)
def test_a_full_size_generator_weighs_what_is_printed(subject, recipe, compressed):
    return compressed(subject, recipe).raw_bytes / (1e6 * cells("VII", "Size")[PRINTED[recipe]])


@claim(
    "saxena2024/VI-A/latency-higher",
    "saxena2024/table-VII",
    at_most(5, why="times the latency of float32; 520 printed (S08): kernels for another processor"),
    kind="refuted",
)
@generator
def test_an_int8_generator_is_nowhere_near_as_slow_as_printed(subject, compressed):
    return latency_ratio(compressed(subject, INT8), compressed(subject, "float32"))


@claim("saxena2024/table-VII", is_true(why="every byte of the file is of one kind"))
@generator
@pytest.mark.parametrize("recipe", [*PRINTED, "dynamic_range(engine=ai_edge)", "int8(8, engine=ai_edge)"])
def test_a_full_size_generator_beside_the_paper(subject, recipe, compressed, report_table):
    cell, row = compressed(subject, recipe), PRINTED.get(recipe)
    mode = next((mode for mode, name in MODES.items() if name == row), None)
    sizes, latencies, loads = (cells("VII", column) for column in ("Size", QUALITY["VII"][1], "Time to load"))
    slower = latency_ratio(cell, compressed(subject, "float32")) if recipe != "float32" else None
    report_table(
        "Saxena et al., Table VII, and the generator at full size beside it: one picture, one thread",
        (
            "recipe",
            "MB: paper",
            "here",
            "s a picture: paper",
            "here",
            "over original: paper",
            "here",
            "load s: paper",
            "here",
        ),
    ).rows.append(
        (
            recipe,
            f"{sizes[row]:g}" if row else "-",
            f"{cell.raw_bytes / 1e6:.2f}",
            f"{latencies[row]:g}" if row else "-",
            f"{cell.value('latency_s'):.3f}",
            f"{SLOWER[mode]:.2f}" if mode else "-",
            f"{slower.value:.2f} ({slower.low:.2f}..{slower.high:.2f})" if slower else "-",
            f"{loads[row]:g}" if row else "-",
            f"{cell.value('load_time_s'):.3f}",
        )
    )
    return cell.raw_bytes == sum(part.bytes for part in cell.parts)
