"""A report for machines says what its page says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kdsweep.report import Headline
from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import headline
from kdsweep.report.statistics.verdicts import against_baselines
from kdsweep.report.summary import Report, summary
from tests.helpers import report_fakes


def told(runs: Runs) -> Report:
    return summary(runs, Headline(headline.answer(runs), Path("index.html")))


@pytest.mark.parametrize(
    ("made", "answer"),
    [
        ({"skills": {"amid": 5.0}}, "holds"),
        ({"skills": {"amid": -1.0}}, "does not hold"),
        ({"skills": {"amid": 1.5, "kd": 1.5}, "equivalent": None}, "undecided"),
        ({"claim": False}, "undecided"),
        ({"complete": False, "confirmed": 3}, "incomplete"),
    ],
)
def test_the_answer_is_one_of_four(made: dict[str, Any], answer):
    assert told(report_fakes.make(seeds=5, search=1, samples=100, **made)).answer == answer


def test_numbers_are_those_of_the_tables():
    runs = report_fakes.make(seeds=5, search=2, samples=100, looks=[3])
    said = told(runs)
    judged = against_baselines(runs)["amid", "kd"]
    (row,) = [one for one in said.comparisons if (one.arm, one.against) == ("amid", "kd")]
    low, high = judged.comparison.interval.bounds()
    assert (row.difference.value, row.difference.low, row.difference.high) == pytest.approx(
        [100 * judged.comparison.interval.mean, 100 * low, 100 * high]
    )
    assert (row.difference.verdict, row.difference.p) == (judged.verdict.word, judged.verdict.p)
    assert (said.looks.look, said.looks.level, len(said.looks.showings)) == (2, 0.0125, 1)
    assert [arm.name for arm in said.arms] == ["student_only", "kd", "amid"]
    assert {row.row for row in said.ablation} == set(report_fakes.ROWS)
    assert said.claim is not None
    assert said.claim.stated_before
