"""Papers as data: their tables as printed and the claims of their prose, from a TOML file beside the benches."""

from __future__ import annotations

import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from compress.errors import ClaimError


@dataclass(frozen=True)
class PaperClaim:
    """A sentence of a paper: its id, paraphrase, and what the audit of the paper's own numbers found (`audit`)."""

    id: str
    paraphrase: str
    quantity: str
    value: object
    direction: str
    audit: str
    finding: str


@dataclass(frozen=True)
class Table:
    """A table as printed: column names, their units, and rows of printed numbers (a printed dash stays a string)."""

    id: str
    title: str
    columns: tuple[str, ...]
    units: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def column(self, name: str) -> tuple[Any, ...]:
        """Return a column's cells, top to bottom. Raises `ClaimError` when there is no such column."""
        if name not in self.columns:
            raise ClaimError(f"{self.id}: no column {name!r}; there are {', '.join(self.columns)}")
        index = self.columns.index(name)
        return tuple(row[index] for row in self.rows)


@dataclass(frozen=True)
class Paper:
    """A paper's name, tables by id and claims by id, and its title as printed."""

    name: str
    prefixes: tuple[str, ...]
    tables: dict[str, Table]
    claims: dict[str, PaperClaim]
    title: str = ""

    def table(self, id: str) -> Table:  # noqa: A002 - the word the file uses
        """Return the table called `id`, such as ``ishtiaq2021/table-I``. Raises `ClaimError` when there is none."""
        if id not in self.tables:
            raise ClaimError(f"{self.name}: no table {id!r}; there are {', '.join(self.tables)}")
        return self.tables[id]

    def knows(self, source: str) -> bool:
        """Return whether `source` names a claim or a table of this paper."""
        return source in self.claims or source in self.tables


def load_paper(path: Path) -> Paper:
    """Return the paper in a TOML file. Raises `ClaimError` that names the file and what is wrong with it."""
    try:
        stored = tomllib.loads(path.read_text(encoding="utf-8"))
        tables = [
            Table(
                id=table["id"],
                title=table["title"],
                columns=tuple(column["name"] for column in table["columns"]),
                units=tuple(column["unit"] for column in table["columns"]),
                rows=tuple(tuple(row) for row in table["rows"]),
            )
            for table in stored["table"]
        ]
        claims = [
            PaperClaim(
                **{
                    name: entry[name]
                    for name in ("id", "paraphrase", "quantity", "value", "direction", "audit", "finding")
                }
            )
            for entry in stored["claim"]
        ]
        twice = [
            id_
            for id_, count in Counter([*(one.id for one in tables), *(one.id for one in claims)]).items()
            if count > 1
        ]
        name, title = str(stored["paper"]["name"]), str(stored["paper"].get("title", ""))
    except FileNotFoundError:
        raise ClaimError(f"{path}: no such claims file; it belongs beside the benches, restore it") from None
    except tomllib.TOMLDecodeError as error:
        raise ClaimError(f"{path}: not valid TOML: {error}") from error
    except OSError as error:
        raise ClaimError(f"{path}: the claims file cannot be read: {error}") from error
    except KeyError as error:
        raise ClaimError(f"{path}: not a claims file: an entry has no {error}") from error
    except (TypeError, UnicodeDecodeError) as error:
        raise ClaimError(f"{path}: not a claims file: {error}") from error
    if twice:
        raise ClaimError(f"{path}: {', '.join(twice)}: an id is given twice")
    for table in tables:
        for number, row in enumerate(table.rows, start=1):
            if len(row) != len(table.columns):
                raise ClaimError(f"{path}: {table.id}, row {number}: {len(row)} cells for {len(table.columns)} columns")
    prefixes = tuple(sorted({one.id.split("/")[0] for one in claims}))
    return Paper(name, prefixes, {one.id: one for one in tables}, {one.id: one for one in claims}, title)


def paper_files(root: Path) -> list[Path]:
    """Return the claims files of a checkout: ``benches/*/paper.toml``."""
    return sorted(root.glob("benches/*/paper.toml"))
