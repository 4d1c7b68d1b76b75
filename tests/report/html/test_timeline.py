"""The history of every metric: what changed, in which run, and what somebody accepted and why."""

from pathlib import Path

from compress.claims.stored_run import StoredRun
from compress.report.html.timeline import TOLD_CHANGES, timeline


def run(number, accepted=None, scale="embedded", **values):
    compress = {"scale": scale, "status": "green", "cells": {"tiny: int8": {"values": values}}}
    if accepted:
        compress["accepted"] = [{"reason": accepted, "when": "2026-11-22T00:00:00", "who": "Ada", "cells": "all"}]
    return StoredRun(Path(f"{number:04}_x.json"), {"datetime": "2026-11-22T01:43:28", "compress": compress})


def metric(runs, name="raw_bytes"):
    (subject,) = timeline(runs)
    return next(one for one in subject.cells[0].metrics if one.name == name)


def test_a_metric_that_never_changed_is_not_drawn():
    found = metric([run(n, raw_bytes=1000) for n in (1, 2, 3)])
    assert (found.first, found.last, found.change, found.paths, found.events) == ("1,000", "1,000", "=", (), ())


def test_an_accepted_change_is_told_with_its_reason_and_marked_where_it_is():
    found = metric([run(1, raw_bytes=1000), run(2, raw_bytes=1200, accepted="new board"), run(3, raw_bytes=1200)])
    (event,) = found.events
    assert (event.run.number, event.old, event.new, event.change) == ("0002", "1,000", "1,200", "+20.00%")
    assert event.notes == ("accepted 2026-11-22 by Ada: new board",)
    assert (event.accepted, event.x) == (True, 110.0)
    assert found.paths[0].points.split()[1].startswith("110,")


def test_times_are_drawn_and_only_what_was_accepted_of_them_is_told():
    found = metric(
        [run(1, latency_s=1e-3), run(2, latency_s=2e-3), run(3, latency_s=1e-3, accepted="slower")], "latency_s"
    )
    assert [event.run.number for event in found.events] == ["0003"]
    assert (found.lowest, found.highest, len(found.paths)) == ("1 ms", "2 ms", 1)


def test_a_run_without_the_metric_breaks_the_line():
    found = metric([run(1, raw_bytes=1, scales=1), run(2, raw_bytes=2), run(3, raw_bytes=3, scales=4)], "scales")
    assert len(found.paths) == 2
    assert [(event.old, event.new) for event in found.events] == [("1", "4")]


def test_counts_by_kind_say_what_changed_in_them():
    (event,) = metric([run(1, ops={"ADD": 1}), run(2, ops={"ADD": 2})], "ops").events
    assert event.notes == ("ADD: 1 -> 2",)


def test_only_the_last_changes_are_listed_and_the_others_counted():
    found = metric([run(n, raw_bytes=n) for n in range(1, 31)])
    assert (len(found.events), found.earlier) == (TOLD_CHANGES, 29 - TOLD_CHANGES)


def test_scales_are_kept_apart():
    found = timeline([run(1, raw_bytes=1), run(2, scale="paper", raw_bytes=9)])
    assert [(one.name, one.scale, one.cells[0].runs) for one in found] == [
        ("tiny", "embedded", 1),
        ("tiny", "paper", 1),
    ]
