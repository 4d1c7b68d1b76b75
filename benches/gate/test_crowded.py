"""The time gate where two loops take both cores all the time: what it cannot tell there, it does not tell.

How often it is undecided is the table's to say: a trial ends after 2.5 s here, a gate's budget is four times that.
"""

from __future__ import annotations

from benches.gate.figures import wrong_a_side, wrongly_passed
from compress.claims.bound import at_most, exactly
from compress.claims.claim import claim


@claim("gate/never-passes-10-crowded", exactly(0, why="what the noise hides is undecided, which is no pass"))
def test_ten_percent_slower_never_passes_crowded(recorded):
    return wrongly_passed(recorded("crowded"), 0.1)


@claim("gate/wrong-at-the-limit-crowded", at_most(2, why="1 % a side by construction; beyond twice that it is broken"))
def test_at_the_limit_it_is_hardly_ever_wrong_crowded(recorded):
    return wrong_a_side(recorded("crowded"))
