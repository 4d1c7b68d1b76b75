"""What every command shares: the option that names the stored runs, the ledger behind it, and where it prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from compress.claims.ledger import Ledger

Storage = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the stored runs.", show_default=".benchmarks/ and this machine's id, as pytest has it"
    ),
]

Scale = Annotated[str, typer.Option(help="Which runs: those made at this scale, embedded or paper.")]


def open_ledger(storage: Path | None) -> Ledger:
    """Return the ledger in the folder `storage`, else where pytest-benchmark keeps this machine's runs."""
    from compress.claims.ledger import Ledger

    if storage is not None:
        return Ledger(storage)
    from pytest_benchmark.utils import get_machine_id

    return Ledger(Path(".benchmarks") / get_machine_id())


def open_console() -> Console:
    """Return the console on stdout; a text is printed as it is, as reasons and names may hold brackets."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False)
