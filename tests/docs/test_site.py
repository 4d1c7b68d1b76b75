"""The site: every command and module is in its reference, links stay in it, and pages ask the network for nothing."""

import os
import re

from typer.main import get_command

from compress.cli import app
from docs.hooks import COMMANDS, ROOT, help_of_commands, linked_files

PAGES = sorted((ROOT / "docs" / "pages").rglob("*.md"))
OF_NO_READER = re.compile(r"(cli|report)/|pytest_|worker$|(^|/)__init__|^(build|gatekeeper|kept|store)$|sweep_process")
"""Modules that have no reference: the commands have their help, and what only the plugin and its processes call."""


def test_the_help_of_every_command_names_all_its_options():
    parts = dict(re.findall(r"^## (\S+)\n\n```text\n(.*?)\n```", help_of_commands(), re.DOTALL | re.MULTILINE))
    commands = get_command(app).commands
    assert list(parts) == list(commands)
    for name, command in commands.items():
        assert parts[name].startswith(f"Usage: compress-bench {name} ")
        missing = [
            option for one in command.params for option in one.opts if option[0] == "-" and option not in parts[name]
        ]
        assert missing == [], name


def test_the_page_of_the_command_line_asks_for_the_help():
    assert COMMANDS in (ROOT / "docs" / "pages" / "reference" / "cli.md").read_text()


def test_every_public_module_is_in_the_reference_once():
    named = [one for page in PAGES for one in re.findall(r"^::: compress\.(\S+)$", page.read_text(), re.MULTILINE)]
    modules = [
        path.relative_to(ROOT / "compress").with_suffix("").as_posix() for path in (ROOT / "compress").rglob("*.py")
    ]
    assert sorted(named) == sorted(one.replace("/", ".") for one in modules if not OF_NO_READER.search(one))


def test_links_out_of_the_pages_lead_to_files_of_the_repository():
    outside = {
        os.path.normpath(page.parent / link)
        for page in PAGES
        for link in re.findall(r"\]\((\.\.[^)#\s]+)\)", page.read_text())
        if not (page.parent / link).resolve().is_relative_to(ROOT / "docs" / "pages")
    }
    assert {str(path) for path in linked_files().values()} == outside
    assert outside


def test_the_site_builds_without_a_warning_and_asks_the_network_for_nothing(site):
    loads = re.compile(
        r"<(?:script|img|iframe|source|link(?![^>]*rel=\"?canonical))[^>]*(?:src|href)=[\"']?(?:https?:)?//"
    )
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > len(PAGES)
    assert [page.name for page in pages if loads.search(page.read_text())] == []
    for style in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", style.read_text()), style
    assert "Usage: compress-bench accept" in (site / "reference" / "cli.html").read_text()
    assert (site / "files" / "gate.txt").read_bytes() == (ROOT / ".ci" / "gate").read_bytes()
