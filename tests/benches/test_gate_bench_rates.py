"""The gate bench's figures are what hand-made trials say: verdicts, shifted slowdowns, seconds, shares."""

import math

import numpy as np
import pytest

from benches.gate.figures import todays_false_alarms, verdicts, wrong_a_side, wrongly_passed
from benches.gate.rates import ESTIMATORS, RECOMMENDED, Estimator, Found, found_in, judged, share, spread
from benches.gate.recording import Recording, Solo, Trial
from benches.gate.tables import characteristics, estimators, reloading, tables, todays_tools
from compress.claims.statistics import wilson_interval
from compress.errors import DataError
from compress.runtime.paired import Block

BLOCKS = 12


def trial(ratio=1.0, *, noise=0.01, seed=0, blocks=BLOCKS, cpu_ratio=None, **more):
    """Return a trial whose new side takes `ratio` as long on the wall's clock, and `cpu_ratio` on the thread's."""
    rng = np.random.default_rng(seed)
    made = []
    for factor in np.exp(noise * rng.normal(size=blocks)):
        old = tuple(1e-3 * (1 + 0.1 * rng.random(8)))
        new = tuple(ratio * factor * np.array(old))
        cpu = new if cpu_ratio is None else tuple(cpu_ratio * factor * np.array(old))
        made.append(Block(old, new, old, cpu, 1e-2, 1e-2))
    given = {"pair": "tiny", "slowdown_fraction": 0.0, "kept": False, "call_s": 1e-3, "start_s": 0.2}
    given |= {"others_cores": 0.1, "spent_s": tuple(0.1 * (i + 1) for i in range(blocks)), "blocks": tuple(made)}
    return Trial(**{**given, **more})


def recording(*trials, solos=(), **more):
    given = {"state": "idle", "scale": "embedded", "confidence": 0.95, "machine": {"cpu": "x"}}
    return Recording(**{**given, **more}, trials=list(trials), solos=list(solos))


def solo(median_s, pair="tiny"):
    return Solo(pair, median_s, median_s, median_s, (median_s,) * 10)


@pytest.mark.parametrize(
    ("slowdown", "verdict"), [(0.0, "passed"), (0.05, "undecided"), (0.1, "failed"), (0.2, "failed"), (0.5, "failed")]
)
def test_a_shifted_slowdown_is_judged_as_one(slowdown, verdict):
    assert judged(trial(), slowdown).verdict == verdict


@pytest.mark.parametrize("slowdown", [0.05, 0.1, 0.5])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_shifting_is_as_good_as_making_every_call_longer(slowdown, estimator):
    shifted, longer = judged(trial(), slowdown, estimator), judged(trial(1 + slowdown), 0.0, estimator)
    assert shifted.verdict == longer.verdict
    assert (shifted.estimate, shifted.low, shifted.high) == pytest.approx((longer.estimate, longer.low, longer.high))


def test_trials_that_end_between_two_looks_are_decided_by_all_their_blocks():
    assert judged(trial(noise=0.1, blocks=BLOCKS)).blocks == BLOCKS
    assert judged(trial(noise=0.001, blocks=BLOCKS)).blocks == 6
    assert (judged(trial(blocks=2)).verdict, judged(trial(noise=0.001, blocks=5)).verdict) == ("undecided", "passed")


def test_counts_and_seconds_are_those_of_the_deciding_looks():
    found = found_in([trial(0.9), trial(1.2), trial(1.05, seed=1)])
    assert (found.n, found.passed, found.failed, found.undecided) == (3, 1, 1, 1)
    assert found.mean_s == pytest.approx((0.6 + 0.6 + 1.2) / 3)
    assert str(found) == "33.3/33.3/33.3"
    assert str(Found(0, 0, 0, math.nan)) == "-"
    assert str(Found(8, 8, 0, 1.0)) == "100/0/0"


def test_calls_are_judged_by_the_threads_clock_unless_the_estimator_says_otherwise():
    assert judged(trial(1.5, cpu_ratio=1.0)).verdict == "passed"
    assert judged(trial(1.5, cpu_ratio=1.0), 0.0, Estimator("q25", "cpu")).verdict == "passed"
    assert judged(trial(1.5, cpu_ratio=1.0), 0.0, Estimator("q25", "wall")).verdict == "failed"


def test_the_statistic_is_the_estimators():
    spoiled = trial(noise=0.001)
    blocks = tuple(
        Block(one.old_wall_s, (one.new_wall_s[0], *(2 * t for t in one.new_wall_s[1:])), *[(1.0,)] * 2, 1.0, 1.0)
        for one in spoiled.blocks
    )
    one_good_call = trial(blocks=BLOCKS)
    one_good_call = Trial(**{**vars(one_good_call), "blocks": blocks})
    assert judged(one_good_call, 0.0, Estimator("median", "wall")).estimate == pytest.approx(math.log(2), abs=0.1)
    assert judged(one_good_call, 0.0, Estimator("min", "wall")).estimate == pytest.approx(0, abs=0.1)


def test_the_spread_is_measured_from_the_truth():
    assert spread([trial(1.02, noise=0), trial(1 / 1.02, noise=0)]) == pytest.approx(math.log(1.02))
    assert spread([trial(1.02, noise=0)] * 2) == pytest.approx(math.log(1.02))


@pytest.mark.parametrize(("count", "n"), [(0, 300), (3, 300), (300, 300), (0, 1)])
def test_a_share_has_wilsons_limits(count, n):
    found, (low, high) = share(count, n, 0.95), wilson_interval(count, n)
    assert (found.value, found.low, found.high, found.n) == pytest.approx((100 * count / n, 100 * low, 100 * high, n))


def test_of_nothing_a_share_is_open():
    found = share(0, 0, 0.95)
    assert (found.low, found.high) == (0, 100)


def test_figures_are_of_files_beside_themselves():
    slowed = trial(1.2, slowdown_fraction=0.2)
    kept = trial(1.2, kept=True)
    made = recording(trial(), trial(seed=1), trial(1.2), slowed, kept)
    assert (verdicts(made, "passed").value, verdicts(made, "failed").n) == (pytest.approx(200 / 3), 3)
    assert verdicts(made, "failed", 0.1).value == 100


def test_a_wrong_pass_counts_whether_shifted_or_physical():
    blind = trial(1.0, slowdown_fraction=0.2)
    seen = trial(1.2, slowdown_fraction=0.2)
    at_the_limit = trial(1.0, slowdown_fraction=0.05)
    assert wrongly_passed(recording(trial(), seen, at_the_limit), 0.1).value == 0
    assert wrongly_passed(recording(trial(), seen, blind), 0.1).value == 1
    assert wrongly_passed(recording(trial(0.85)), 0.1).value == 1


def test_at_the_limit_passing_and_failing_are_both_wrong():
    made = recording(trial(), trial(0.97, noise=0.001), trial(1.03, noise=0.001), trial(1.1, kept=True))
    assert (wrong_a_side(made).value, wrong_a_side(made).n) == (pytest.approx(100 * 2 / 6), 6)
    assert (wrong_a_side(made, kept=True).value, wrong_a_side(made, kept=True).n) == (50, 2)


def test_false_alarms_of_runs_are_counted_within_a_pair():
    solos = [solo(1.0), solo(9.0, "mid"), solo(1.1), solo(9.0, "mid"), solo(1.1), solo(1.2)]
    found = todays_false_alarms(recording(solos=solos), "median:5%")
    assert (found.value, found.n) == (50, 4)


def test_a_recording_reads_back_what_was_saved(tmp_path):
    made = recording(trial(noise=0.0), solos=[solo(0.5)])
    read = Recording.load(made.save(tmp_path / "new" / "idle.json.gz"))
    assert (read.state, read.scale, read.machine, read.solos) == (made.state, made.scale, made.machine, made.solos)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["idle.json.gz"]
    (one,), (before,) = read.trials, made.trials
    np.testing.assert_allclose(one.log_ratios("q25", "wall"), before.log_ratios("q25", "wall"), atol=1e-6)
    assert (one.blocks[0].old_load_s, one.spent_s) == (1e-2, pytest.approx(before.spent_s))


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b\x08", b"{}"])
def test_a_damaged_recording_is_refused_by_name(tmp_path, content):
    (tmp_path / "bad.json.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.json\.gz: not a recording"):
        Recording.load(tmp_path / "bad.json.gz")


def test_the_table_has_a_row_for_each_truth_and_a_column_for_each_pair():
    beside_itself = (trial(), trial(seed=1), trial(1.2, pair="mid"))
    made = recording(*beside_itself, trial(1.5, slowdown_fraction=0.5), trial(kept=True))
    table = characteristics(made)
    assert table.columns == ("truth", "n", "all", "s", "tiny", "mid")
    assert [row[0] for row in table.rows] == [
        "A/A",
        *(f"+{percent}% shifted" for percent in (5, 10, 20, 50)),
        "+50% physical",
    ]
    assert table.rows[0] == ("A/A", "3", "66.7/0/33.3", "0.60", "100/0/0 n=2 0.60 s", "0/0/100 n=1 0.60 s")
    assert [row[2] for row in table.rows[1:5]] == ["0/66.7/33.3", *["0/0/100"] * 3]
    assert table.rows[-1] == ("+50% physical", "1", "0/0/100", "0.60", "0/0/100 n=1 0.60 s", "-")
    assert "others computed on 0.10 cores" in table.title


def test_every_estimator_has_a_row_and_the_recommended_is_the_first():
    rows = estimators(recording(trial(), trial(seed=1))).rows
    assert rows[0][0] == f"{RECOMMENDED} (recommended)"
    assert len({row[0] for row in rows}) == len(rows) == 9
    assert rows[0][1:6] == ("100/0/0", "0.60", "0.00", "0/0/100", "0/0/100")


def test_kept_instances_stand_beside_fresh_ones():
    rows = reloading(recording(trial(), trial(1.03, noise=0.001, kept=True))).rows
    assert [row[:4] for row in rows] == [
        ("fresh, tiny", "1", "100/0/0", "0.0"),
        ("kept, tiny", "1", "100/0/0", "50.0"),
    ]


def test_todays_tools_stand_beside_the_gate():
    solos = [solo(1.0), solo(1.1), solo(1.1), solo(1.1)]
    rows = {row[0]: row[1:] for row in todays_tools(recording(trial(), solos=solos)).rows}
    assert rows["median:5%, tiny"][:4] == ("3", "33.3", "12", "25.0")
    assert rows["median:5%, tiny"][5:7] == ("75.0", "100.0")
    assert rows["median:5%, tiny"][-4:] == ("1", "0.0", "100.0", "100.0")
    assert rows["asv, tiny"][:3] == ("1", "0.0", "2")
    assert rows["this gate, tiny"][-4:] == ("1", "0.0", "100.0", "100.0")


def test_tables_without_a_trial_are_left_out():
    assert tables(recording()) == []
    assert len(tables(recording(trial()))) == 2
