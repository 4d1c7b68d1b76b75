"""GitHub-flavoured Markdown: texts that stay texts, tables, folded parts, and a document that fits into a comment.

The syntax is that of the GFM specification 0.29 (tables: section 4.10). A pull request's comment holds 65,536
characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

LIMIT = 65_000
"""Characters of a whole document."""

LONGEST = 500
"""Characters of one text, so that a single one never fills the document."""

_NOTE_ROOM = 1_000
_NAMED = 60


def _one_line(text: str) -> str:
    line = " ".join("".join(one if one.isprintable() or one.isspace() else "\ufffd" for one in text).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def _unlinked(text: str) -> str:
    # whom GitHub mentions is found in the rendered text, where an escape is gone but a comment still stands between
    return re.sub(r"([@#])(?=\w)", r"\1<!-- -->", text)


def plain(text: str) -> str:
    """Return `text` on one line, to be shown as it is: no markup, no HTML, nobody mentioned, no issue linked."""
    line = escape(_one_line(text), quote=False).replace("\\", "&bsol;")
    return _unlinked(re.sub(r"[`*\[\]~|$]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", line))


def code(text: str) -> str:
    """Return `text` as code in a table's field, where nothing is mentioned or linked either."""
    line = _one_line(text)
    if "`" in line or "\\" in line:
        # no fence of backticks holds both in every renderer's tables, but references to characters do
        return f"<code>{re.sub(r'[^a-zA-Z0-9 ]', lambda one: f'&#{ord(one[0])};', line)}</code>"
    return f"`{line}`".replace("|", r"\|") if line else ""


@dataclass(frozen=True)
class Part:
    """A part of a document: a title, an opening that is never cut, and lines of Markdown; ``folded`` or open."""

    lines: tuple[str, ...]
    title: str = ""
    opening: str = ""
    folded: bool = False

    def text(self, shown: int) -> str:
        """Return the part with its first `shown` lines."""
        body = "\n".join(([self.opening] if self.opening else []) + list(self.lines[:shown]))
        if self.folded:
            title = _unlinked(escape(_one_line(self.title), quote=False))
            return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
        return f"### {plain(self.title)}\n\n{body}" if self.title else body

    def lines_within(self, room: int) -> int:
        """Return how many of the first lines can be shown in `room` characters."""
        room -= len(self.text(0))
        for index, line in enumerate(self.lines):
            room -= len(line) + 1
            if room < 0:
                return index
        return len(self.lines)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, folded: bool = False, numbers: bool = False
) -> Part:
    """Return a table: the fields of `rows` are Markdown, `title` and `columns` texts; `numbers` are flush right."""
    edges = ["---"] + ["---:" if numbers else "---"] * (len(columns) - 1)
    opening = f"| {' | '.join(map(plain, columns))} |\n| {' | '.join(edges)} |"
    return Part(tuple(f"| {' | '.join(row)} |" for row in rows), title, opening, folded)


def fit(parts: Iterable[Part], limit: int = LIMIT) -> str:
    """Return the document of `parts`, at most `limit` characters: what is too much is cut from its end, and named.

    Parts without lines are left out. The first is taken to fit.
    """
    said: list[str] = []
    cut: list[str] = []
    room = limit - _NOTE_ROOM
    for part in parts:
        shown = 0 if cut else part.lines_within(room - 2)
        if shown < len(part.lines):
            cut.append(f"{len(part.lines) - shown} lines of {_one_line(part.title)[:_NAMED] or 'the head'!r}")
        if shown:
            said.append(part.text(shown))
            room -= len(said[-1]) + 2
    if cut:
        more = f" and {len(cut) - 1} more parts" if len(cut) > 1 else ""
        said.append(plain(f"Cut to {limit:,} characters: {cut[0]}{more} are left out. The log has all of it."))
    return "\n\n".join(said) + "\n"
