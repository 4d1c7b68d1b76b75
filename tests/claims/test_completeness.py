"""What a baseline covers and a run does not is found by name, by file and by claim."""

from hypothesis import given
from hypothesis import strategies as st

from compress.claims.completeness import Gap, find_gaps

CELLS = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["1", "2", "3"]))


def verdict(where, verdict="held", source="paper/claim", reason=""):
    return {"sources": [source], "where": where, "verdict": verdict, "reason": reason}


def test_nothing_is_open_when_everything_was_done_again():
    assert find_gaps({"a": "1"}, {"a": "2"}, [verdict("test_a")], [verdict("test_a", "broken")]) == []


def test_a_cell_that_is_gone_is_missing_and_one_that_came_is_new():
    assert find_gaps({"a": "1"}, {"b": "2"}, [], []) == [
        Gap("missing", "a was measured then and not now"),
        Gap("new", "b has no baseline"),
    ]


def test_a_file_under_another_name_is_renamed_once():
    gaps = find_gaps({"a": "1", "b": "1"}, {"c": "1"}, [], [])
    assert [gap.kind for gap in gaps] == ["renamed", "missing"]
    assert gaps[0].text.startswith("a is now called c")
    assert gaps[1].text.startswith("b ")


@given(CELLS, CELLS)
def test_every_cell_of_either_run_is_in_both_or_in_one_gap(old, new):
    gaps = find_gaps(old, new, [], [])
    kinds = [gap.kind for gap in gaps]
    gone, came = old.keys() - new.keys(), new.keys() - old.keys()
    assert kinds.count("missing") + kinds.count("renamed") == len(gone)
    assert kinds.count("new") + kinds.count("renamed") == len(came)


def test_a_claim_that_no_bench_of_that_name_judges_any_more_is_missing():
    (gap,) = find_gaps({}, {}, [verdict("test_a[x]"), verdict("test_a[y]")], [verdict("test_a[y]")])
    assert gap == Gap("missing", "paper/claim was judged by test_a[x] then, and by nothing of that name now")


def test_a_claim_that_was_judged_and_is_now_unmeasured_is_missing_with_its_reason():
    (gap,) = find_gaps({}, {}, [verdict("test_a")], [verdict("test_a", "unmeasured", reason="no data")])
    assert gap.kind == "missing"
    assert gap.text == "paper/claim was judged by test_a then; now unmeasured: no data"


def test_claims_that_are_unmeasured_for_one_reason_are_one_gap():
    old = [verdict("test_a"), verdict("test_b"), verdict("test_c")]
    new = [verdict("test_a", "unmeasured", reason="x"), verdict("test_b", "unmeasured", reason="y")]
    gaps = find_gaps({}, {}, old, [*new, verdict("test_c", "unmeasured", reason="x")])
    assert [gap.text for gap in gaps] == [
        "paper/claim was judged by test_a then, and 1 more; now unmeasured: x",
        "paper/claim was judged by test_b then; now unmeasured: y",
    ]


def test_claims_on_time_in_a_run_without_times_are_untimed_and_not_missing():
    old, new = [verdict("test_a"), verdict("test_b")], [verdict("test_a", "unmeasured", reason="no times here")]
    new.append(verdict("test_b", "unmeasured", reason="no data"))
    assert [gap.kind for gap in find_gaps({}, {}, old, new, "no times here")] == ["untimed", "missing"]


def test_a_claim_that_was_never_judged_cannot_go_missing():
    assert find_gaps({}, {}, [verdict("test_a", "unmeasured")], []) == []
