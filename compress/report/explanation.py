"""An explanation of a file in the terminal: tables of its bytes, of what stayed float and of its layers' errors."""

from __future__ import annotations

import math

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from compress.explain.explanation import Explanation
from compress.explain.held_bytes import Held
from compress.explain.layer_errors import LayerError

TOP = 12

LONGEST = 40
"""Letters of a name in a table; --json has all."""

NAMED = 3
"""Layers that are named for each reason why some could not be compared; --json has all."""


def explanation(found: Explanation, top: int = TOP) -> RenderableType:
    """Return what `found` says as tables; `top` rows of each, the rest summed."""
    blocks: list[RenderableType] = [f"{found.file}: {found.bytes:,} bytes", _kinds(found), ""]
    blocks += [Text("where the bytes are", "bold"), _tensors(found, top), "", *_kept(found, top)]
    if found.errors is None:
        blocks += ["", "each layer's error: name the float file of the same network with --against"]
    else:
        blocks += ["", *_errors(found, top)]
    return Group(*blocks)


def shown(name: str) -> str:
    """Return a tensor's name as a table has it: converters join the names of all that they fused, and none is short.

    Of joined names the first is shown, and of a long one its end, which tells it from its neighbours.
    """
    first, joined, _ = name.partition(";")
    mark = ";…" if joined else ""
    return (first if len(first) <= LONGEST else f"…{first[1 - LONGEST :]}") + mark


def new_table(*columns: str, left: int = 1) -> Table:
    """Return an empty table without lines; the first `left` columns are text, the others numbers."""
    table = Table(box=None, pad_edge=False, padding=(0, 1))
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < left else "right", overflow="fold", no_wrap=index >= left)
    return table


def decibels(value: float | None) -> str:
    """Return a ratio to a tenth of a dB; ``exact`` without any error, ``-`` where there is none."""
    if value is None:
        return "-"
    return "exact" if math.isinf(value) and value > 0 else f"{value:.1f}"


def _kinds(found: Explanation) -> str:
    kinds = [f"{kind} {count:,} ({count / found.bytes:.1%})" for kind, count in found.by_kind.items() if count]
    stored = [f"{dtype} {count:,}" for dtype, count in found.by_dtype.items()]
    return f"{', '.join(kinds)}\nweight elements: {', '.join(stored) or 'none'}"


def _shape(row: Held) -> str:
    return "x".join(map(str, row.shape)) or "1"


def _tensors(found: Explanation, top: int) -> Table:
    # a name made from the layer's tells it already
    told = all(row.name.startswith(row.layer.partition(" ")[2]) for row in found.tensors)
    readers = () if told else ("read by",)
    table = new_table("tensor", *readers, "stored", "shape", "bytes", "scales", "share", left=3 + len(readers))
    for row in found.tensors[:top]:
        scales = f"{row.scale_bytes + row.index_bytes:,}"
        text = (shown(row.name), *(row.layer.partition(" ")[0] for _ in readers), row.dtype, _shape(row))
        table.add_row(*text, f"{row.weight_bytes:,}", scales, f"{row.share:.1%}")
    blank = ("",) * (2 + len(readers))
    rest = found.tensors[top:]
    if rest:
        sums = [sum(one.weight_bytes for one in rest), sum(one.scale_bytes + one.index_bytes for one in rest)]
        share = f"{sum(one.share for one in rest):.1%}"
        table.add_row(f"{len(rest)} more tensors", *blank, *(f"{each:,}" for each in sums), share)
    others = found.by_kind["scales"] - sum(one.scale_bytes for one in found.tensors)
    if others:
        table.add_row("activations", *blank, "", f"{others:,}", f"{others / found.bytes:.1%}")
    metadata = found.by_kind["metadata"]
    table.add_row("graph and names", *blank, f"{metadata:,}", "", f"{metadata / found.bytes:.1%}")
    return table


def _kept(found: Explanation, top: int) -> list[RenderableType]:
    if not found.kept_float:
        floats = sum(count for dtype, count in found.by_dtype.items() if dtype in ("float32", "float64"))
        return ["stayed float: all of it; nothing in this file is quantized" if floats else "stayed float32: nothing"]
    table = new_table("tensor", "why", "bytes", left=2)
    for one in found.kept_float[:top]:
        table.add_row(shown(one.name), one.reason, f"{one.bytes:,}")
    rest = found.kept_float[top:]
    if rest:
        reasons = sorted({one.reason for one in rest}, key=[one.reason for one in rest].index)
        said = reasons[0] if len(reasons) == 1 else f"{len(reasons)} reasons; --json lists them"
        table.add_row(f"{len(rest)} more tensors", said, f"{sum(one.bytes for one in rest):,}")
    return [Text("stayed float", "bold"), table]


def _errors(found: Explanation, top: int) -> list[RenderableType]:
    errors = found.errors
    if errors is None:
        return []
    worst, rest = _worst(errors.layers, top)
    table = new_table("layer", "operator", "output", "falls by", "weights", left=2)
    for one in worst:
        table.add_row(shown(one.name), one.op, decibels(one.sqnr_db), _fall(one), decibels(one.weights_db))
    title = f"error of each layer against {found.against}, in dB (SQNR; higher is better)"
    lines: list[RenderableType] = [Text(title, "bold"), table]
    if rest:
        lines.append(f"{rest} more layers that fall less; --top shows them")
    lines.append(f"output of the network: {decibels(errors.output_db)} dB, on {found.samples}")
    runs = (
        "ONNX Runtime without fusing" if found.file.endswith(".onnx") else "LiteRT's builtin kernels, without XNNPACK"
    )
    lines.append(f"every tensor kept: {runs}")
    reasons: dict[str, list[str]] = {}
    for one in errors.layers:
        if one.why:
            reasons.setdefault(one.why, []).append(
                f"{shown(one.name)} (then {shown(one.then)})" if one.then else shown(one.name)
            )
    for why, names in reasons.items():
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        lines.append(f"not compared, as {why}: {', '.join(names[:NAMED])}{more}")
    return lines


def _fall(one: LayerError) -> str:
    return "-" if one.fall_db is None else f"{one.fall_db:+.1f}"


def _worst(layers: tuple[LayerError, ...], top: int) -> tuple[list[LayerError], int]:
    """Return the layers whose ratio falls most, in the order of the graph, and how many were left out."""
    compared = [one for one in layers if not one.why]
    ranked = sorted(compared, key=lambda one: -(one.fall_db if one.fall_db is not None else math.inf))
    chosen = {id(one) for one in ranked[:top]}
    return [one for one in compared if id(one) in chosen], max(0, len(compared) - top)


def print_explanation(console: Console, found: Explanation, top: int = TOP) -> None:
    """Print an explanation, in as many columns as the console has."""
    console.print(explanation(found, top))
