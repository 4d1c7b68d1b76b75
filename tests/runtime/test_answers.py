"""Answers to many samples are the same, in the same order, however many sessions give them."""

import threading

import numpy as np
import pytest

from compress.records import records
from compress.runtime import answers
from compress.runtime.answers import answer_all


class Doubling:
    """A session that answers twice its sample, and notes how many it was given."""

    def __init__(self, meet=None):
        self.meet, self.given = meet, 0

    def invoke(self, x):
        self.given = len(x)
        if self.meet is not None:
            self.meet.wait(timeout=30)
        return 2 * x


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(answers.os, "cpu_count", lambda: 2)


def opener(meet=None):
    opened = []

    def open_another():
        opened.append(Doubling(meet))
        return opened[-1]

    return open_another, opened


def test_long_answering_is_shared_by_sessions_that_run_at_once():
    meet = threading.Barrier(2)  # a session that had to wait for the other would never pass it
    open_another, opened = opener(meet)
    first = Doubling(meet)

    found = answer_all(first, np.arange(7.0), open_another, inference_s=1.0)

    np.testing.assert_array_equal(found, 2 * np.arange(7.0))
    assert [each.given for each in (first, *opened)] == [4, 3]


@pytest.mark.parametrize(("samples", "inference_s"), [(7, 0.1), (1, 100.0)])
def test_short_answering_or_a_single_sample_is_one_sessions(samples, inference_s):
    open_another, opened = opener()

    found = answer_all(Doubling(), np.arange(samples, dtype=float), open_another, inference_s=inference_s)

    np.testing.assert_array_equal(found, 2 * np.arange(samples))
    assert opened == []


def test_records_are_shared_too():
    class Same(Doubling):
        def invoke(self, x):
            return x

    samples = records({"ids": np.arange(10).reshape(5, 2), "mask": np.ones((5, 1))})

    found = answer_all(Same(), samples, Same, inference_s=1.0)

    assert found.dtype == samples.dtype
    np.testing.assert_array_equal(found, samples)


def test_an_error_of_another_session_is_an_error():
    def refuse():
        raise ValueError("no memory for another")

    with pytest.raises(ValueError, match="no memory for another"):
        answer_all(Doubling(), np.arange(7.0), refuse, inference_s=1.0)
