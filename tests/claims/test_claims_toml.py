"""``claims.toml``: what it says, and that every slip is told with its line and with what is allowed."""

from __future__ import annotations

import json
import math
import tomllib

import pytest
from jsonschema import Draft202012Validator

from compress.claims.claims_toml import line_of, load_claims, schema
from compress.errors import ClaimError
from compress.own.measures import MEASURES

GOOD = """\
[subject.net]
model = "net.keras"
data = "digits.npz"

[subject."net.2"]  # the next one
model = "/models/net2.tflite"
data = "readers:digits"
metric = "sqnr_db"
samples = 200

[[claim]]
subject = "net"
recipe = "int8"
metric = "size_ratio"
at_least = 3.5
why = "512 kB of flash"

[[claim]]
subject = "net.2"
recipe = "int8"
metric = "output_sqnr_db"
at_least = 20
at_most = 60.5
why = "users notice at 15"
"""


@pytest.fixture
def load(tmp_path):
    def from_text(text: str):
        (tmp_path / "claims.toml").write_text(text)
        return load_claims(tmp_path / "claims.toml")

    return from_text


def test_subjects_and_claims_are_those_of_the_file(load, tmp_path):
    found = load(GOOD)

    assert list(found.subjects) == ["net", "net.2"]
    assert found.subjects["net"].model == tmp_path / "net.keras"
    assert found.subjects["net"].data == str(tmp_path / "digits.npz")
    assert found.subjects["net.2"].data == "readers:digits"
    assert found.subjects["net.2"].options == {"samples": 200}
    assert [(one.name, one.line) for one in found.claims] == [
        ("net: int8: size_ratio", 11),
        ("net.2: int8: output_sqnr_db", 18),
    ]
    assert (found.claims[0].bound.low, found.claims[0].bound.high) == (3.5, math.inf)
    assert (found.claims[1].bound.low, found.claims[1].bound.high) == (20, 60.5)
    assert found.claims[0].bound.why == "512 kB of flash"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"size_ratio"', '"sise"', r":14: claim\.metric must be one of size_ratio, .*, got 'sise'"),
        ("at_least = 3.5\n", "", r":11: claim needs a limit: at_least, at_most, or both"),
        ("= 3.5", '= "3.5"', r":15: claim\.at_least must be a number, got '3\.5'"),
        ("at_least = 3.5", "at_lesat = 3.5", r":15: claim has no 'at_lesat'; it has subject, recipe, metric, at_"),
        ('why = "512 kB of flash"\n', "", r":11: claim needs why"),
        ('why = "512 kB of flash"', 'why = ""', r":16: claim\.why must not be empty"),
        ('subject = "net"\n', 'subject = "ent"\n', r":12: no subject 'ent'; there are net, net\.2"),
        ('model = "net.keras"', 'modle = "net.keras"', r":2: subject\.net has no 'modle'; it has model, data"),
        ('data = "digits.npz"\n', "", r":1: subject\.net needs data"),
        ('data = "digits.npz"', "data = 3", r":3: subject\.net\.data must be a text, got 3"),
        ("samples = 200", "samples = 0", r":9: subject\.net\.2\.samples must be at least 1, got 0"),
        ("samples = 200", 'scaling = "0-1"', r":9: subject\.net\.2\.scaling must be one of auto, none, .*, got '0-1'"),
        ("at_least = 20", "at_least = 70", r":18: a bound needs low <= high"),
        (
            '[[claim]]\nsubject = "net"',
            '[[clame]]\nsubject = "net"',
            r":11: the file has no 'clame'; it has s",
        ),
        ("[subject.net]", "[subject.net", r": is no TOML: .*line 1"),
    ],
)
def test_a_slip_is_told_with_its_line_and_what_is_allowed(load, before, after, message):
    assert before in GOOD
    with pytest.raises(ClaimError, match=r"claims\.toml" + message):
        load(GOOD.replace(before, after, 1))


def test_one_claim_made_twice_names_both_lines(load):
    with pytest.raises(ClaimError, match=r":26: 'net: int8: size_ratio' is claimed on line 11 already"):
        load(GOOD + "\n" + GOOD[GOOD.index("[[claim]]") :].split("\n\n")[0])


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[subject]\n[[claim]]\n"])
def test_an_empty_or_unreadable_file_is_named(tmp_path, content):
    (tmp_path / "claims.toml").write_bytes(content)

    with pytest.raises(ClaimError, match=r"claims\.toml"):
        load_claims(tmp_path / "claims.toml")


def test_every_metric_of_the_schema_is_measured_and_no_other():
    named = schema()["properties"]["claim"]["items"]["properties"]["metric"]["enum"]

    assert sorted(named) == sorted(MEASURES)


def test_the_schema_is_one_and_takes_the_file_that_it_describes():
    Draft202012Validator.check_schema(schema())

    assert list(Draft202012Validator(schema()).iter_errors(tomllib.loads(GOOD))) == []
    assert json.dumps(schema())


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("claim", 0), 11),
        (("claim", 1), 18),
        (("claim", 1, "at_most"), 23),
        (("subject", "net"), 1),
        (("subject", "net.2", "metric"), 8),
        (("claim", 7, "why"), 1),
        ((), 1),
    ],
)
def test_a_place_in_the_document_is_found_in_the_text(place, line):
    assert line_of(GOOD, place) == line
