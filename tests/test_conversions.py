"""What the files of one model begin with is converted once, and every file is charged for it."""

from __future__ import annotations

import time

import pytest

from compress.conversions import Conversions, conversions_of, sharing


@pytest.fixture
def passing(monkeypatch):
    """Return a function that lets seconds pass on a clock that stands still otherwise."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def let_pass(seconds):
        now[0] += seconds

    return let_pass


def test_what_was_made_is_found_and_its_seconds_are_spared(passing):
    conversions, made = Conversions(), []

    def make():
        made.append(1)
        passing(5)
        return b"content"

    assert conversions.once("tflite", make) == b"content"
    assert conversions.spared_s == 0
    assert conversions.once("tflite", make) == b"content"
    assert conversions.once("tflite", make) == b"content"
    assert (made, conversions.spared_s) == ([1], 10)


def test_a_conversion_takes_as_long_as_all_that_it_is_made_of(passing):
    conversions = Conversions()

    def first():
        passing(3)
        return b"first"

    def second():
        conversions.once("first", first)
        passing(4)
        return b"second"

    conversions.once("first", first)
    conversions.once("second", second)
    assert conversions.spared_s == 3
    conversions.once("second", second)
    assert conversions.spared_s == 3 + 7


def test_a_conversion_that_failed_is_tried_again():
    conversions = Conversions()
    with pytest.raises(ZeroDivisionError):
        conversions.once("tflite", lambda: 1 / 0)
    assert conversions.once("tflite", lambda: b"content") == b"content"
    assert conversions.spared_s == 0


def test_conversions_are_shared_for_the_very_object_and_no_longer_than_said():
    model, equal = [1], [1]
    shared = Conversions()
    with sharing(model, shared):
        assert conversions_of(model) is shared
        assert conversions_of(equal) is not shared
    assert conversions_of(model) is not shared
