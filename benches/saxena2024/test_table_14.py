"""Saxena et al. 2024, table XIV and V-C, on GPT-2 small itself: what low-rank adapters have and weigh (S18).

Counts are of a network that is really built. The adapters are those of queries and values in all 12 layers (Hu et al.
2021, section 5.4).
"""

from __future__ import annotations

import pytest

from benches.saxena2024.adapters import RANKS, counted
from benches.saxena2024.printed import cells
from compress.claims.bound import Bound, at_least, at_most, between, exactly
from compress.claims.claim import claim
from compress.lowrank.targets import counted as parameters_of

pytestmark = pytest.mark.scale("paper")

FINAL_NORM = 2 * 768
every_rank = pytest.mark.parametrize("rank", RANKS)


def printed(rank: int, column: str) -> float:
    return cells("XIV", column)[f"r={rank}"]


@claim(
    "saxena2024/table-XIV",
    exactly(
        124_439_808, why="50,257 + 1,024 vectors of 768, 12 layers and a norm; 163 million if the output is untied"
    ),
    kind="number",
)
def test_full_fine_tuning_trains_124_million_parameters():
    return counted().base


def trained(rank: int) -> Bound:
    value = {4: 147_456, 64: 2_359_296}[rank]
    return exactly(value, why=f"{rank} x (768 + 768) x 24; {9_280 * rank * 24:,} by Keras's own factors of heads")


@claim("saxena2024/table-XIV", trained, kind="number")
@every_rank
def test_adapters_train_their_rank_times_inputs_and_outputs(rank):
    return counted().adapters[rank]


@claim(
    "saxena2024/table-XIV",
    exactly(0, why="a network that is built and its configuration are counted alike"),
    kind="theorem",
)
@every_rank
def test_the_count_follows_from_the_configuration(rank):
    return counted().adapters[rank] - parameters_of([(768, 768)] * 24, rank)


@claim(
    "saxena2024/table-XIV",
    between(0.1485, 0.1495, why="million, of which 0.149 is printed: the adapters and the final norm, 148,992"),
    kind="number",
)
def test_rank_4_and_the_final_norm_are_the_printed_count():
    return (counted().adapters[4] + FINAL_NORM) / 1e6


@claim(
    "saxena2024/table-XIV",
    at_least(
        2.5, why="counted over the printed 0.93 million of rank 64; 16 times the rank is 16 times the count (S18)"
    ),
    kind="refuted",
)
def test_rank_64_trains_two_and_a_half_times_the_printed_count():
    return counted().adapters[64] / 1e6 / printed(64, "Trainable Parameters")


def file(rank: int) -> Bound:
    most = {4: 1.03, 64: 1.002}[rank]
    return between(1, most, why="file over 4 bytes a parameter: 49 arrays' names and headers are 15 kB; 0.5 if float16")


@claim("saxena2024/V-C/lora-module-size", file, kind="theorem")
@every_rank
def test_an_adapters_file_is_four_bytes_a_parameter(rank):
    return counted().file_bytes[rank] / (4 * counted().adapters[rank])


@claim(
    "saxena2024/V-C/lora-module-size",
    between(9.5, 10.5, why="float32 kilobytes over the printed 59 and 910 Kb: too few for any format at rank 4 (S18)"),
    kind="refuted",
)
@every_rank
def test_a_module_weighs_ten_times_the_printed_size(rank):
    return counted().factor_bytes[rank] / 1024 / printed(rank, "Size of Low Rank Module")


@claim(
    "saxena2024/V-C/lora-memory",
    "saxena2024/V-C/lora-module-size",
    at_most(
        2, why="percent of the base's float32 bytes; 0.12 and 1.9 counted, 0.006 and 0.1 printed; 100 if untruncated"
    ),
    kind="number",
)
@every_rank
def test_a_task_more_costs_two_percent_of_the_base_at_most(rank, report_table):
    found = counted()
    percent = 100 * found.file_bytes[rank] / (4 * found.base)
    table = report_table(
        "adapters of GPT-2 small's queries and values",
        ("rank", "parameters", "printed", "file in kB", "printed Kb", "of the base in %"),
    )
    table.rows.append(
        (
            str(rank),
            f"{found.adapters[rank]:,}",
            f"{printed(rank, 'Trainable Parameters'):g}M",
            f"{found.file_bytes[rank] / 1000:,.0f}",
            f"{printed(rank, 'Size of Low Rank Module'):g}",
            f"{percent:.2f}",
        )
    )
    return percent
