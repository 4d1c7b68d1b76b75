"""A ledger as large as one gets: runs, cells, claims, tables, figures and acceptances, from a seed."""

import json
from pathlib import Path

import numpy as np

from compress.curve import record, record_epoch, recording
from compress.measure import sample_pictures
from compress.measure.figure import Figure, Line
from compress.measure.histogram import histogram
from compress.measure.picture import picture

RECIPES = ["float32", "float16", "dynamic_range", "int8", "prune(0.9, scope=lamp)", "prune(0.9) | int8", "kmeans(16)"]
VERDICTS = ["held"] * 7 + ["refuted", "unmeasured", "undecided", "broken"]
KINDS = ["theorem", "number", "trend"]
MACHINE = {
    "cpu": "A CPU",
    "isa": ["avx2", "avx512_vnni"],
    "cores": 8,
    "libraries": {"numpy": "2.4.0", "keras": "3.15.1"},
}


def claim_ids(papers: int, claims: int) -> list[str]:
    """Return sources: `claims` over `papers`, 20 a section."""
    return [f"paper{n % papers}/{'IVX'[n // 20 % 3]}-{'ABCDEFGH'[n // 60 % 8]}/claim-{n}" for n in range(claims)]


def write_papers(folder: Path, papers: int = 2, claims: int = 2000) -> Path:
    """Write a ``paper.toml`` for each paper and return the folder of the benches."""
    ids = claim_ids(papers, claims)
    for paper in range(papers):
        mine = [one for one in ids if one.startswith(f"paper{paper}/")]
        lines = ["[paper]", f'name = "Paper {paper}"', f'title = "On compression, part {paper}"']
        lines += ["[[table]]", f'id = "paper{paper}/table-II"', 'title = "Sizes"']
        lines += ['columns = [{ name = "Variant", unit = "text" }, { name = "Size", unit = "MB" }]']
        lines += ['rows = [["Original", 14.6], ["Int8", 3.9]]']
        for number, one in enumerate(mine):
            lines += ["[[claim]]", f'id = "{one}"', f'paraphrase = "Sentence {number} says that models get smaller"']
            lines += ['quantity = "size ratio"', f"value = {2 + number % 7 / 10}", 'direction = "about"']
            lines += ['audit = "partly"', 'finding = "S04"']
        (folder / "benches" / f"paper{paper}").mkdir(parents=True)
        (folder / "benches" / f"paper{paper}" / "paper.toml").write_text("\n".join(lines))
    return folder / "benches"


def figures(generator: np.random.Generator) -> list[Figure]:
    """Return a figure of each kind."""
    weights = generator.normal(size=5000)
    pruned = np.where(abs(weights) < 1, 0, weights)
    return [
        Figure("weights", "weight", "count", "zeros apart")
        .add("before", histogram(weights, 61, limit=4))
        .add("after", histogram(pruned, 61, limit=4)),
        Figure("loss", "epoch", "loss").add("a", Line(range(9), 1 / np.arange(1, 10))).add("b", Line([0, 8], [1, 0.2])),
        Figure("horses").add("real", picture(generator.random((16, 16, 3)))).add("made", picture(np.eye(16))),
    ]


def curves(seed: int) -> list[dict]:
    """Return what a step recorded that removed channels and trained for 12 epochs."""
    generator = np.random.default_rng(seed)
    with recording() as made:
        for choice in range(0, 60, 4):
            record({"channels left": 120 - choice}, at=choice // 4, over="choices of what to remove")
        for epoch in range(12):
            record_epoch({"loss": 1 / (1 + epoch) + generator.random() / 9})
    return [one.to_json() for one in made.curves("channels(0.5)")]


def strips(seed: int) -> dict[str, str]:
    """Return what a file makes of four pictures of 32 x 32 pixels."""
    x = np.linspace(0, 1, 4 * 32 * 32 * 3).reshape(4, 32, 32, 3)
    noise = np.random.default_rng(seed).normal(scale=0.1, size=x.shape)
    return sample_pictures.to_json(sample_pictures.sample_pictures(x, 1 - x, {"int8": 1 - x + noise}))


def cell_values(generator: np.random.Generator, size: int, number: int) -> dict:
    """Return a cell's metric values: exact ones steady but for one change, times noisy."""
    size = size if number < 100 else size - 512
    noise = generator.lognormal(sigma=0.1, size=4)
    return {
        "raw_bytes": size,
        "gzip_bytes": int(size * 0.9),
        "weight_bytes": size - 2000,
        "scale_bytes": 400,
        "index_bytes": 0,
        "metadata_bytes": 1600,
        "weight_elements_by_dtype": {"int8": size},
        "scales": 100,
        "multiply_adds": 10 * size,
        "ops": {"CONV_2D": 12, "ADD": 3},
        "sparsity": 0.012,
        "accuracy": round(0.95 + 0.04 * generator.random(), 4) if number % 10 == 0 else 0.97,
        "output_sqnr_db": 43.2,
        "compress_time_s": float(0.7 * noise[0]),
        "load_time_s": float(0.02 * noise[1]),
        "latency_s": float(1e-9 * size * noise[2]),
        "peak_memory_bytes": int(6e7 * noise[3]),
    }


def write_ledger(folder: Path, runs: int = 200, subjects: int = 8, claims: int = 2000, recipes: int = 7) -> Path:
    """Write `runs` runs of `subjects` x `recipes` cells, the last with verdicts on `claims`; return the folder."""
    generator = np.random.default_rng(7)
    folder.mkdir(parents=True)
    ids = claim_ids(2, claims)
    for number in range(1, runs + 1):
        names = [f"subject_{index}: {recipe}" for index in range(subjects) for recipe in RECIPES[:recipes]]
        cells = {
            name: {"sha256": "0", "runtime": "litert", "values": cell_values(generator, 900_000 // (1 + place), number)}
            for place, name in enumerate(names)
        }
        last = number == runs
        for index, name in enumerate(names if last else []):
            recipe = RECIPES.index(name.partition(": ")[2])
            if recipe % 2:
                cells[name]["curves"] = curves(index // recipes)  # a subject's files share one training
            elif recipe:
                cells[name]["pictures"] = strips(index)
        verdicts = [
            {
                "sources": [source],
                "kind": KINDS[index % 3],
                "verdict": VERDICTS[index % len(VERDICTS)],
                "where": f"test_models_get_smaller_{index}[{RECIPES[one]}]",
                "measured": f"{3.5 + generator.random():.4f} [3.1, 4.2] x (n=3000)",
                "bound": ">= 3.5",
                "why": "int8 weights and a scale a channel: 4 bytes become 1, and a little more for its scales",
                "reason": "",
            }
            for index, source in enumerate(ids)
            for one in range(2)
        ]
        compress = {
            "schema": 1,
            "status": "red" if number % 17 == 0 else "green",
            "scale": "embedded",
            "selection": "benches",
            "complete": True,
            "baseline": ["0001_x.json"],
            "fingerprint": MACHINE,
            "cells": cells,
            "verdicts": verdicts if last else [],
            "changes": [],
            "gaps": [],
            "tables": [{"title": "sizes", "columns": ["subject", "bytes"], "rows": [["subject_0", "9"], ["b", "10"]]}],
            "figures": [one.to_json() for one in figures(generator)] if last else [],
        }
        if number == 100:
            said = {"reason": "smaller, for the new board", "when": "2026-11-22T01:00:00+00:00", "who": "Ada"}
            compress["accepted"] = [{**said, "cells": "all", "before": {}}]
        stamp = {
            "datetime": f"2026-{1 + number // 28:02}-{1 + number % 28:02}T01:02:03",
            "commit_info": {"id": "ab12" * 4},
        }
        document = {"benchmarks": [], "compress": compress, **stamp}
        (folder / f"{number:04}_x.json").write_text(json.dumps(document))
    return folder
