"""The page as one HTML file: a template that escapes all it is given, and a policy that forbids all but the file.

The policy is that of the W3C's Content Security Policy, level 3: the file's own style and script are allowed by their
digests, so that no other one runs even where a stored name should find its way into the markup.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from compress.report.html.claims import bound_text
from compress.report.html.page import Page

TEMPLATES = files("compress.report.html") / "templates"


def render(page: Page) -> str:
    """Return the page as a whole HTML document, readable without its script."""
    from jinja2 import DictLoader, Environment, StrictUndefined

    style, script = (_read(name).strip() for name in ("report.css", "report.js"))
    names = ("report.html.j2", "charts.html.j2", "claims.html.j2", "history.html.j2")
    environment = Environment(
        loader=DictLoader({name: _read(name) for name in names}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"anchor": anchor, "bound": bound_text}
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return environment.get_template("report.html.j2").render(page=page, style=style, script=script, policy=policy)


def anchor(text: str) -> str:
    """Return a name for a place in the page that depends on `text` alone, and holds only letters and digits."""
    return "x" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def _read(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _digest(source: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}"
