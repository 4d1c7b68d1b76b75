"""A runtime that does whatever its model files say."""

import sys

import pytest

ADAPTER = '''
"""A runtime whose model files say which Python it runs: on ``load``, ``bind``, ``call`` and ``invoke``."""

import numpy as np


class Session:
    versions = {"scripted": "1"}
    input_names = ["input"]

    def __init__(self, script):
        self.script = script
        self.input_shape = tuple(int(size) for size in script.get("shape", "4").split(","))

    def bind(self, x1):
        self.do("bind")
        return lambda: self.do("call")

    def invoke(self, x):
        self.do("invoke")
        return 2 * x

    def do(self, when):
        exec(self.script.get(when, ""), {})


def prepare():
    pass


def read_parts(content):
    return ()


def load_session(content, threads):
    lines = (line.split(": ", 1) for line in content.decode().splitlines())
    session = Session({when: code.replace("; ", chr(10)) for when, code in lines})
    session.do("load")
    return session


open_session = load_session
'''

REGISTRATION = """
from compress.runtime import session

session.ADAPTERS["scripted"] = "scripted_adapter"
"""


@pytest.fixture
def scripted_runtime(tmp_path, monkeypatch):
    """Let child processes know the runtime ``scripted``; this one does not."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "scripted_adapter.py").write_text(ADAPTER)
    (site / "sitecustomize.py").write_text(REGISTRATION)
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
