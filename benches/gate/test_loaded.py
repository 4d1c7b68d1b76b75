"""The time gate on a busy machine: two loops beside it on the same cores, one all the time and one in bursts.

As `test_idle`, but that the times of anything are two and three times what they are, and change by the second.
"""

from __future__ import annotations

from benches.gate.figures import todays_false_alarms, verdicts, wrong_a_side, wrongly_passed
from compress.claims.bound import at_least, at_most, exactly
from compress.claims.claim import claim


@claim("gate/false-alarms-loaded", at_most(1, why="alpha is 1 % whatever the noise: the interval widens with it"))
def test_a_file_beside_itself_hardly_ever_fails_loaded(recorded):
    return verdicts(recorded("loaded"), "failed")


@claim("gate/passes-loaded", at_least(85, why="a shared runner has neighbours; 89.8 % of 244 trials of 24 blocks"))
def test_a_file_beside_itself_passes_loaded(recorded):
    return verdicts(recorded("loaded"), "passed")


@claim("gate/power-10-loaded", at_least(80, why="twice the slowdown allowed is to be found; 88.7 % of 244 trials"))
def test_ten_percent_slower_fails_loaded(recorded):
    return verdicts(recorded("loaded"), "failed", 0.1)


@claim("gate/never-passes-10-loaded", exactly(0, why="what the noise hides is undecided, which is no pass"))
def test_ten_percent_slower_never_passes_loaded(recorded):
    return wrongly_passed(recorded("loaded"), 0.1)


@claim("gate/power-20-loaded", at_least(95, why="a slowdown that anyone would want to know of; 98.4 % of 244 trials"))
def test_twenty_percent_slower_fails_loaded(recorded):
    return verdicts(recorded("loaded"), "failed", 0.2)


@claim("gate/wrong-at-the-limit-loaded", at_most(2, why="1 % a side by construction; beyond twice that it is broken"))
def test_at_the_limit_it_is_hardly_ever_wrong_loaded(recorded):
    return wrong_a_side(recorded("loaded"))


@claim(
    "gate/todays-tools-loaded",
    at_least(10, why="ten times what this gate allows itself; the rule is the one in pytest-benchmark's documentation"),
    kind="trend",
)
def test_a_rule_on_the_means_of_two_runs_cries_wolf_loaded(recorded):
    return todays_false_alarms(recorded("loaded"), "mean:5%")
