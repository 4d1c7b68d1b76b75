"""Saxena et al. 2024, V-D, figures 15 to 19, measured: a CycleGAN generator slimmed, and slimmed to 8 bits (S10).

Ratios of size and of Fréchet distance to those of the same float32 file; the paper's FID of Table VII is of another
set-up and is not compared with. Baselines for the joint optimisation, which the paper has none of: the slimmed
generator quantized afterwards, with as many channels removed.
"""

from __future__ import annotations

import pytest

from benches.saxena2024.generators import N, against_float, of_two_trainings, ratio
from benches.saxena2024.latency import latency_ratio
from compress.claims.bound import at_least, at_most
from compress.claims.claim import claim
from compress.measure.figure import Line
from compress.workbench import side_by_side_pictures
from fixtures.cyclegan import BLOCKS, WIDTH

pytestmark = pytest.mark.scale("embedded")

SLIM = "gan_slim(0.84)"
JOINT = "gan_slim(0.84, bits=8) | int8"
AFTERWARDS = "gan_slim(0.84) | int8"
PRINTED = {SLIM: (44 / 7.7, 122.29 / 74.04, 6.81 / 5.8), JOINT: (44 / 4, 153.98 / 74.04, 6.65 / 5.59)}
"""Of V-D: times smaller, times the FID, times faster on 8 pictures (S10)."""

CHANNELS = WIDTH * (1 + 2 + 4 * (1 + 2 * BLOCKS) + 2 + 1)
"""Of all normalisations of the generator together."""

slimmed = pytest.mark.parametrize("subject", ["cyclegan"])


def size_ratio(cell) -> float:
    return cell.workbench.compressed(cell.subject.name, "float32").raw_bytes / cell.raw_bytes


@claim(
    "saxena2024/V-D/cyclegan-size",
    at_least(5.5, why="raw bytes; 44 to 7.7 is 5.71 (S10): channels set to zero and not removed would leave 1.00"),
    kind="trend",
)
@slimmed
def test_a_slimmed_generator_is_five_times_smaller(subject, compressed, report_table, report_figure):
    table = report_table(
        "Saxena et al., V-D: a generator slimmed, jointly with 8 bits, and quantized afterwards; ratios to float32",
        ("subject", "recipe", "smaller: paper", "here", "distance: paper", "here", "faster: paper", "here"),
    )
    figure = report_figure(
        f"{subject}: what it makes of the first pictures (Figure 17)",
        note="From the left: the pictures given, the float32 file's, and each compressed file's.",
    )
    for recipe in (SLIM, JOINT, AFTERWARDS):
        cell = compressed(subject, recipe)
        printed = [f"{one:.2f}" for one in PRINTED.get(recipe, ())] or ["-"] * 3
        faster = 1 / latency_ratio(cell, compressed(subject, "float32")).value
        far = against_float(cell)
        here = (f"{size_ratio(cell):.2f}", f"{far.value:.3f} ({far.low:.2f}..{far.high:.2f})", f"{faster:.2f}")
        columns = [value for pair in zip(printed, here, strict=True) for value in pair]
        table.rows.append((subject, recipe, *columns))
        figure.add_all(side_by_side_pictures(cell))
    return size_ratio(compressed(subject, SLIM))


@claim(
    "saxena2024/V-D/joint-size",
    at_least(11, why="raw bytes; 44 to 4 is 11.0, of twice the channels or more than 8 bits each (S10)"),
    kind="trend",
)
@slimmed
def test_a_jointly_slimmed_and_rounded_generator_is_eleven_times_smaller(subject, compressed):
    return size_ratio(compressed(subject, JOINT))


@claim("saxena2024/V-D/cyclegan-fid", at_most(1.65, why=f"times the float32 distance, as printed; {N}"), kind="trend")
@slimmed
def test_a_slimmed_generator_stays_as_near_as_the_papers(subject, compressed):
    return against_float(compressed(subject, SLIM))


@claim("saxena2024/V-D/joint-fid", at_most(2.1, why=f"times the float32 distance; 2.08 printed; {N}"), kind="trend")
@slimmed
def test_a_jointly_slimmed_and_rounded_generator_stays_as_near_as_the_papers(subject, compressed):
    return against_float(compressed(subject, JOINT))


@claim(
    "saxena2024/V-D/cyclegan-fid",
    at_least(1, why=f"distance over that of the file before it: original < slimmed < slimmed, then 8 bits; {N}"),
    kind="trend",
)
@slimmed
@pytest.mark.parametrize(("before", "after"), [("float32", SLIM), (SLIM, AFTERWARDS)])
def test_every_compression_moves_the_pictures_away(subject, before, after, compressed):
    return ratio(compressed(subject, after), compressed(subject, before))


@claim(
    "saxena2024/V-D/joint-fid",
    at_least(1, why=f"slimmed < slimmed jointly with 8 bits; 1.26 printed; limits for what trainings differ by; {N}"),
    kind="trend",
)
@slimmed
def test_a_jointly_rounded_generator_is_farther_than_one_that_is_slimmed_alone(subject, compressed):
    return of_two_trainings(ratio(compressed(subject, JOINT), compressed(subject, SLIM)))


@claim(
    "saxena2024/V-D/joint-better",
    at_most(1, why=f"over the distance of quantizing afterwards; limits for what two trainings differ by; {N}"),
    kind="trend",
)
@slimmed
def test_optimising_jointly_is_better_than_quantizing_afterwards(subject, compressed):
    return of_two_trainings(ratio(compressed(subject, JOINT), compressed(subject, AFTERWARDS)))


@claim(
    "saxena2024/V-D/cyclegan-size",
    at_most(0.5, why="channels left after the last epoch, of all: Figure 18 falls and stays"),
    kind="trend",
)
@slimmed
def test_channels_fall_over_the_epochs(subject, compressed, report_figure):
    cells = {"slimmed": compressed(subject, SLIM), "slimmed and 8 bits": compressed(subject, JOINT)}
    for curve, title in (("channels left", "Figure 18"), ("generator loss", "Figure 19")):
        figure = report_figure(f"{subject}: {curve} over epochs ({title})", x="epoch", y=curve)
        for name, cell in cells.items():
            (found,) = (one for one in cell.artifact.curves if one.name == curve)
            figure.add(name, Line(found.x, found.y))
    (left,) = (one for one in cells["slimmed"].artifact.curves if one.name == "channels left")
    assert list(left.y) == sorted(left.y, reverse=True)
    return left.y[-1] / CHANNELS
