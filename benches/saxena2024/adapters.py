"""GPT-2 small as keras-hub builds it, its adapters' counts and their files; in a process of its own, for the 0.5 GB."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache

DEADLINE_S = 300
RANKS = (4, 64)


@dataclass(frozen=True)
class Counted:
    """Parameters of the base and, by rank, of its adapters and the bytes of their files and of the factors in them."""

    base: int
    adapters: dict[int, int]
    file_bytes: dict[int, int]
    factor_bytes: dict[int, int]


@cache
def counted() -> Counted:
    """Return what was counted, built once a run."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_count).result(DEADLINE_S)


def _count() -> Counted:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras_hub

    from compress.lowrank.adapter import initial, write_adapter
    from compress.lowrank.targets import find_targets, lora_parameters

    model = keras_hub.models.GPT2Backbone(50_257, 12, 12, 768, 3_072, dropout=0.0, max_sequence_length=1_024)
    targets = find_targets(model, "query_value")
    adapters = {rank: initial(targets, rank, None, seed=0) for rank in RANKS}
    return Counted(
        base=model.count_params(),
        adapters={rank: lora_parameters(model, rank) for rank in RANKS},
        file_bytes={rank: len(write_adapter(adapter)) for rank, adapter in adapters.items()},
        factor_bytes={rank: adapter.parameter_bytes for rank, adapter in adapters.items()},
    )
