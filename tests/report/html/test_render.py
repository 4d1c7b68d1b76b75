"""The document: whole, escaped, allowed nothing but itself, and made from what the wheel carries."""

import base64
import hashlib
import re
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from compress.claims.paper import Paper, PaperClaim
from compress.claims.stored_run import StoredRun
from compress.measure.figure import Figure, Line
from compress.measure.picture import picture
from compress.measure.sample_pictures import to_json
from compress.report.html.page import build_page
from compress.report.html.render import render

HOSTILE = "\"'></script></style></title><img src=x onerror=alert(1)><script>alert(2)</script>{{ 7*7 }}\ud800\u202e\0"
VOID = {"meta", "link", "input", "img", "br", "rect", "circle", "path", "polyline"}


class Tags(HTMLParser):
    """Collects the tags of a document, and those that are closed out of turn."""

    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.astray = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID and not self.get_starttag_text().endswith("/>"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.astray.append(tag)


def hostile_page(text=HOSTILE):
    figure = Figure(text, text, text, text).add(text, Line([1, 2], [1, 2])).to_json()
    said = {"reason": text, "when": text, "who": text, "cells": "all"}
    verdict = {"sources": ["p/I/size", text], "verdict": "held", "kind": text, "where": text, "measured": text}
    values = {"raw_bytes": 10, text: text, "ops": {text: 1}, "accuracy": 0.5, "latency_s": text}
    curves = [{"name": text, "over": text, "step": text, "x": [1, 2], "y": [1, 2]}]
    pictures = to_json({text: picture(np.eye(3))})
    seen = {"values": values, "runtime": text, "curves": curves, "pictures": pictures}
    stored = {
        "scale": text,
        "status": text,
        "selection": text,
        "cells": {f"{text}: {text}": seen, "b: c": {"values": values}},
        "verdicts": [{**verdict, "bound": text, "why": text, "reason": text}],
        "tables": [{"title": text, "columns": [text], "rows": [[text]]}],
        "figures": [figure],
        "changes": [dict.fromkeys(("direction", "cell", "metric", "old", "new", "detail"), text)],
        "gaps": [{"kind": text, "text": text, "allowed": False}],
        "fingerprint": {text: text, "libraries": {text: text}, "isa": [text]},
        "accepted": [said],
        "baseline": [text],
    }
    later = {
        **stored,
        "cells": {name: {**cell, "values": {**values, "ops": {text: 2}}} for name, cell in stored["cells"].items()},
    }
    runs = [
        StoredRun(Path(f"{number}_x.json"), {"datetime": text, "commit_info": {"id": text}, "compress": compress})
        for number, compress in ((text.replace("/", ""), stored), ("0002", later))
    ]
    claim = PaperClaim("p/I/size", text, text, text, text, text, text)
    return build_page(runs[::-1], runs, [Paper(text, ("p",), {}, {claim.id: claim}, text)], [text])


def tags_of(page):
    return Tags(render(page).encode("utf-8", "replace").decode())


def test_hostile_names_claims_and_reasons_stay_text():
    harmless, hostile = tags_of(hostile_page("harmless")), tags_of(hostile_page())
    assert [tag for tag, _ in hostile.found] == [tag for tag, _ in harmless.found]
    assert [tag for tag, _ in hostile.found].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in hostile.found for name in attributes)
    assert render(hostile_page()).count("{{ 7*7 }}") > 20  # told as it is, never evaluated
    assert "alert(1)>" not in render(hostile_page()).replace("alert(1)&gt;", "")


def test_every_element_is_closed_in_turn_and_every_id_is_given_once(small):
    found = tags_of(small)
    assert (found.open, found.astray) == ([], [])
    ids = [attributes["id"] for _, attributes in found.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = {attributes["href"][1:] for tag, attributes in found.found if tag == "a"}
    assert links <= set(ids)


def test_only_the_files_own_style_and_script_are_allowed(small):
    text = render(small)
    policy = next(attributes["content"] for _, attributes in Tags(text).found if "http-equiv" in attributes)
    for tag in ("style", "script"):
        (source,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy


def test_nothing_is_named_that_would_have_to_be_fetched(small):
    for tag, attributes in tags_of(small).found:
        for name in ("src", "href", "xlink:href", "action", "srcset", "poster"):
            assert attributes.get(name, "#").startswith(("#", "data:")), (tag, attributes)
    style = (files("compress.report.html") / "templates" / "report.css").read_text()
    assert "url(" not in style
    assert "@import" not in style


def test_every_chart_has_a_name_and_a_table_beside_it(small):
    found = tags_of(small).found
    charts = [attributes for tag, attributes in found if tag == "svg" and attributes["class"] == "chart"]
    ids = {attributes.get("id") for _, attributes in found}
    assert len(charts) == 13
    assert all(set(one["aria-labelledby"].split()) <= ids for one in charts)
    tables = [tag for tag, _ in found].count("table")
    assert [tag for tag, _ in found].count("caption") == tables
    assert all("scope" in attributes for tag, attributes in found if tag == "th")


@pytest.mark.parametrize(
    "name", ["report.html.j2", "charts.html.j2", "claims.html.j2", "history.html.j2", "report.css", "report.js"]
)
def test_the_templates_come_with_the_package(name):
    assert (files("compress.report.html") / "templates" / name).read_text(encoding="utf-8").strip()


def test_what_older_runs_lack_is_said(small):
    run = StoredRun(Path("0001_x.json"), {"compress": {"cells": {"a: b": {"values": {"raw_bytes": 1}}}}})
    notes = build_page([run], [run], []).notes
    assert notes[0] == "run 0001 does not hold its benches' tables: an older version stored it"
    assert notes[1].startswith("run 0001 does not hold its benches' figures")
    assert small.notes == ()
    text = render(build_page([run], [run], []))
    assert "The run does not say which machine it was made on." in text
    assert "No claim was judged in this run." in text
