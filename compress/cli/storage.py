"""What every command shares: the option that names the stored runs, the ledger behind it, and where it prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from compress.claims.ledger import Ledger

Storage = Annotated[
    str | None,
    typer.Option(
        metavar="FOLDER|URI",
        help="Where runs are stored: pytest's own --benchmark-storage, such as file://ledger, or one machine's folder.",
        show_default="file://./.benchmarks, as pytest has it",
    ),
]

Scale = Annotated[str, typer.Option(help="Which runs: those made at this scale, embedded or paper.")]


def open_ledger(storage: str | None) -> Ledger:
    """Return the ledger in `storage`, else where pytest-benchmark keeps this machine's runs.

    As in ``--benchmark-storage``, a storage holds a folder for each machine; that folder may be named itself, too.
    Raises `LedgerError` for a storage that is no folder.
    """
    from pytest_benchmark.utils import get_machine_id

    from compress.claims.ledger import Ledger
    from compress.errors import LedgerError

    scheme, uri, path = (storage or ".benchmarks").rpartition("://")
    if scheme not in ("", "file"):
        raise LedgerError(
            f"--storage {storage}: runs with their files are kept in a folder; name one, or file://FOLDER"
        )
    folder, machine = Path(path), get_machine_id()
    is_root = (uri or storage is None) and folder.name != machine
    return Ledger(folder / machine if is_root or (folder / machine).is_dir() else folder)


def open_console() -> Console:
    """Return the console on stdout; a text is printed as it is, as reasons and names may hold brackets."""
    from rich.console import Console

    return Console(markup=False, highlight=False, emoji=False)
