"""What the site has besides its pages: the command line's own help, and the repository's files that pages link to."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from typer.main import get_command

from compress.cli import app

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
WIDTH = 88
PROGRAM = "compress-bench"
COMMANDS = "<!-- the help of every command -->"
_LINK = re.compile(r"\]\((?P<up>(?:\.\./)+)(?P<path>[^)#\s]+)\)")


def help_of_commands() -> str:
    """Return the help of `compress-bench` and of each of its commands, in Markdown."""
    group = get_command(app)
    parts = [_fenced(group, PROGRAM, None)]
    with typer.Context(group, info_name=PROGRAM, terminal_width=WIDTH, max_content_width=WIDTH) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if command is not None:
                parts.append(f"## {name}\n\n{_fenced(command, name, context)}")
    return "\n\n".join(parts)


def _fenced(command: Any, name: str, parent: typer.Context | None) -> str:
    with typer.Context(command, info_name=name, parent=parent, terminal_width=WIDTH, max_content_width=WIDTH) as one:
        return f"```text\n{command.get_help(one)}\n```"


def linked_files() -> dict[str, Path]:
    """Return the repository's files that pages link to, by their place in the site: `.ci/gate` is `files/gate.txt`."""
    found = {}
    for page in sorted((ROOT / "docs" / "pages").rglob("*.md")):
        for link in _LINK.finditer(page.read_text(encoding="utf-8")):
            target = Path(os.path.normpath(page.parent / link["up"] / link["path"]))
            if target.is_file() and not target.is_relative_to(ROOT / "docs" / "pages"):
                found[f"files/{target.name}.txt"] = target
    return found


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the linked files as texts to the site."""
    from mkdocs.structure.files import File

    for place, source in linked_files().items():
        files.append(File.generated(config, place, content=source.read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Return the page with the command line's help where it belongs, and links into the site."""
    depth = "../" * page.file.src_uri.count("/")
    folder = (ROOT / "docs" / "pages" / page.file.src_uri).parent
    places = {target: place for place, target in linked_files().items()}

    def moved(link: re.Match[str]) -> str:
        place = places.get(Path(os.path.normpath(folder / link["up"] / link["path"])))
        return f"]({depth}{place})" if place else link[0]

    return _LINK.sub(moved, markdown).replace(COMMANDS, help_of_commands())
