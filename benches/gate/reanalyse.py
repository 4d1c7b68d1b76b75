"""Print the tables of recordings again, to try a rule on old data: ``python -m benches.gate.reanalyse FILE...``."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benches.gate.recording import Recording
from benches.gate.tables import tables
from compress.suite import PrintedTable


def _rich(printed: PrintedTable) -> Table:
    table = Table(title=printed.title, title_justify="left", box=None, pad_edge=False)
    for index, column in enumerate(printed.columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=not index)
    for row in printed.rows:
        table.add_row(*row)
    return table


if __name__ == "__main__":
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 200)
    for path in sys.argv[1:]:
        for printed in tables(Recording.load(Path(path))):
            console.print(_rich(printed))
            console.print()
