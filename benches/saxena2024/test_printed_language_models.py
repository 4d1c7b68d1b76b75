"""Saxena et al. 2024, tables XIII to XVII: language models, by arithmetic on the printed digits (S17 to S19)."""

from __future__ import annotations

import pytest

from benches.saxena2024.printed import answer_time_ratio, cells, exact
from compress.claims.bound import at_least, at_most, between, exactly
from compress.claims.claim import claim


@claim(
    "saxena2024/V-C/gpt2-90", between(-0.5, 0.5, why="percent, Table XIII, 90 %: -0.42 to +0.04 (S17)"), kind="number"
)
@pytest.mark.parametrize("metric", ["BLEU", "NIST", "METEOR", "ROUGE_L", "CIDEr"])
def test_printed_gpt2_at_90_percent_scores_alike(metric):
    scores = cells("XIII", metric)
    return 100 * (scores[90] / scores[0] - 1)


@claim(
    "saxena2024/V-C/lora-module-size",
    at_most(
        1, why="bytes a trainable parameter, Table XIV: 0.40 and 0.98; float32 takes 4, so the sizes are 10x off (S18)"
    ),
    kind="refuted",
)
@pytest.mark.parametrize("rank", ["r=4", "r=64"])
def test_printed_adapters_weigh_too_little_for_their_parameters(rank):
    return cells("XIV", "Size of Low Rank Module")[rank] * 1e3 / (cells("XIV", "Trainable Parameters")[rank] * 1e6)


LANGUAGE_MODELS = {"Flan-T5": "XV", "Falcon": "XVI", "LLaMA-2": "XVII"}


@claim(
    "saxena2024/V-C/llm-4bit-comparable",
    at_least(-1.5, why="percent, the largest loss of six scores at 4 bits; Flan-T5 gains 16 to 94, so not alike (S19)"),
    kind="number",
)
@pytest.mark.parametrize("model", LANGUAGE_MODELS)
def test_printed_4_bit_models_score_no_lower(model):
    original, quantized = (cells(LANGUAGE_MODELS[model], column) for column in ("Original", "4Bit"))
    return min(100 * (quantized[metric] / original[metric] - 1) for metric in list(original)[1:])


@claim(
    "saxena2024/V-C/llm-lora-best",
    exactly(2, why="of 18 scores in which LoRA does not lead: Flan-T5's BLEU (equal) and METEOR (lower) (S19)"),
    kind="refuted",
)
def test_printed_scores_in_which_lora_does_not_lead():
    behind = [
        f"{model} {metric}"
        for model, table in LANGUAGE_MODELS.items()
        for metric, score in list(cells(table, "LoRA").items())[1:]
        if score <= max(cells(table, "Original")[metric], cells(table, "4Bit")[metric])
    ]
    return exact(len(behind), ", ".join(behind))


@claim(
    "saxena2024/V-C/llm-4bit-size",
    at_least(1.4, why="times as long at 4 bits: 1.42, 1.82 and 2.72 printed, where compute is said to be cut (S19)"),
    kind="refuted",
)
@pytest.mark.parametrize("table", LANGUAGE_MODELS.values())
def test_printed_4_bit_models_take_longer(table):
    return answer_time_ratio(table)
