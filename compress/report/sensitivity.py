"""A sensitivity sweep in the terminal: the ranking, the files that keep layers in float, and one sentence of advice."""

from __future__ import annotations

from rich.console import Console

from compress.explain.sensitivity import WORTH_DB, Sensitivity
from compress.report.explanation import decibels, new_table, shown

TOP = 15

POOR_DB = 10.0
"""A tenth of the power of the output is noise."""


def print_sensitivity(console: Console, found: Sensitivity, top: int = TOP) -> None:
    """Print a sweep; `top` rows of the ranking, and all files that were built."""
    console.print(f"{found.file}: {found.float_bytes:,} bytes, {found.precision}, on {found.samples}\n")
    labelled = found.float_correct is not None
    right = ("right",) if labelled else ()
    at = "the output" if found.measured == "output" else f"{found.measured}, which a last softmax or sigmoid reads"
    console.print(f"each layer quantized alone, the most sensitive first (SQNR of {at}, dB)")
    table = new_table("layer", "operator", "SQNR", *right, left=2)
    for one in found.alone[:top]:
        table.add_row(shown(one.layer), one.op, decibels(one.sqnr_db), *_right(one.correct, found, labelled))
    console.print(table)
    if len(found.alone) > top:
        console.print(f"{len(found.alone) - top} more layers; --top shows them")
    if found.unswept:
        console.print(f"{len(found.unswept)} layers were not swept: their errors grow least when all is quantized")
    console.print("\nfiles that were built and measured, the worst layers kept in float")
    files = new_table("kept in float", "bytes", "SQNR", *right)
    for each in found.files:
        name = f"+ {shown(each.layers[-1])}" if each.layers else "none"
        files.add_row(name, f"{each.bytes:,}", decibels(each.sqnr_db), *_right(each.correct, found, labelled))
    console.print(files)
    console.print(f"\n{advice(found)}")


def advice(found: Sensitivity) -> str:
    """Return one sentence: which layers to keep in float, what it gains, and what it costs."""
    base, chosen = found.files[0], found.files[found.advised]
    names = ", ".join(map(shown, chosen.layers))
    if not found.advised:
        best = max((one.sqnr_db or 0.0) for one in found.files)
        if found.precision == "int8" and (base.sqnr_db is None or base.sqnr_db < POOR_DB):
            return (
                f"no layer's weights to keep: the worst in float (up to {len(found.files) - 1}) gain less than "
                f"{WORTH_DB:g} dB ({decibels(base.sqnr_db)} -> {decibels(best)}); what is computed between the layers "
                "does not bear int8, and --precision dynamic_range leaves it in float"
            )
        return (
            f"quantize all: keeping the worst layers in float (up to {len(found.files) - 1}) gains "
            f"less than {WORTH_DB:g} dB ({decibels(base.sqnr_db)} -> {decibels(best)})"
        )
    return (
        f"keep {names} in float: {decibels(base.sqnr_db)} -> {decibels(chosen.sqnr_db)} dB "
        f"for {chosen.bytes - base.bytes:,} more bytes ({base.bytes:,} -> {chosen.bytes:,})"
    )


def _right(correct: int | None, found: Sensitivity, labelled: bool) -> tuple[str, ...]:
    if not labelled:
        return ()
    return ("-" if correct is None else f"{correct / found.count:.2%}",)
