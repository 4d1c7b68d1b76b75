"""The command line beside pytest: what is stored, which claims carry a verdict, and what may be a baseline."""

from __future__ import annotations

import typer

from compress.cli import (
    accept,
    compare,
    coverage,
    doctor,
    explain,
    gc,
    history,
    init,
    inspect,
    report,
    run,
    runs,
    sensitivity,
)
from compress.errors import CompressError

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def main() -> None:
    """Run the command line; an error of ours is one line on stderr and exit code 2."""
    try:
        app()
    except CompressError as error:
        typer.echo(f"error: {error}", err=True)
        raise SystemExit(2) from None


@app.callback()
def about() -> None:
    """Look at what `pytest benches` stored, and decide what may be a baseline."""


COMMANDS = (
    init.init,
    run.run,
    runs.runs,
    history.history,
    compare.compare,
    accept.accept,
    gc.gc,
    doctor.doctor,
    inspect.inspect,
    explain.explain,
    sensitivity.sensitivity,
    coverage.coverage,
    report.report,
)
for command in COMMANDS:
    app.command()(command)
