"""A claim over several datasets: one family, confirmed only where every study registered it before its results."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kdsweep.report import Headline
from kdsweep.report.facts import compared_studies, ledger
from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import compared, over_datasets
from kdsweep.report.statistics.heterogeneity import heterogeneity
from kdsweep.report.statistics.intervals import Interval
from kdsweep.report.statistics.over_datasets import exploratory_because
from kdsweep.report.summary import summary
from kdsweep.values.study import Claim
from tests.helpers import report_fakes

CLAIM = Claim("amid", ("student_only", "kd"))
EARLY, NEVER = "2026-01-01", "9999"


def on(runs: Runs, name: str, *, tested: str = "", registered: str = EARLY, **changed: Any) -> Runs:
    """The same runs as a study of another dataset, its claim registered at a time."""
    data = replace(runs.study.data, fingerprint=name, tested=tested or name, parts=({"test": name},))
    described = replace(runs.study, name=name, data=data, **changed)
    ids = {id_: f"{name}:{id_}" for id_ in runs.index["trial"]}
    index, trials, curves = (
        table.assign(trial=table["trial"].map(ids)) for table in (runs.index, runs.trials, runs.curves)
    )
    now = ledger.showing(described, index, set(trials["trial"]))
    assert now is not None
    line = replace(now, kind="registered", when=registered, trials=(), n=0, whole=False)
    history = ledger.history([line], now, rows=now.rows, data=now.data)
    read = runs.predictions
    return Runs(described, index, trials, curves, lambda id_: read(id_.removeprefix(f"{name}:")), history=history)


@pytest.fixture(scope="module")
def runs() -> Runs:
    strong = {"amid": 6.0, "kd": 1.0, "student_only": 1.0}
    return report_fakes.make(search=1, seeds=5, samples=80, skills=strong)


@pytest.fixture(scope="module")
def three(runs) -> list[Runs]:
    return [on(runs, name) for name in ("one", "two", "three")]


def test_a_claim_that_every_study_registered_is_one_family_over_datasets(three):
    page = compared_studies.page(compared_studies.sort(three, CLAIM))
    judged, told = over_datasets.table(page)
    assert [row["study"] for row in judged.rows] == ["one", "two", "three"] * 2
    assert [(row["part of"], row["verdict"].word) for row in judged.rows] == [("claim", "better")] * 6
    # Equal runs have equal p, which six in a family multiply by six.
    alone = compared_studies.page(compared_studies.sort(three[:2], Claim("amid", ("kd",))))
    two, six = (over_datasets.table(one)[0].rows[-1]["p"].value for one in (alone, page))
    assert six == pytest.approx(3 * two)
    assert [row["against"] for row in told.rows] == ["Student only", "KD"]
    numbers = over_datasets.drawing(page)
    assert len(numbers.numbers) == 6
    assert over_datasets.figure(page, numbers).layout.height
    answer = compared.answer(page)
    assert answer.title == "AMID is better than Student only and KD in accuracy on every dataset"
    assert answer.state == "holds"
    said = summary(page, Headline(answer, Path("index.html")))
    assert (said.answer, said.kind, said.ranks[0].arm) == ("holds", "compared", "AMID")
    assert said.over_datasets is not None
    assert [result.difference.verdict for result in said.over_datasets.results] == ["better"] * 6


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"registered": NEVER}, "three did not register it"),
        ({"claim": None}, "three states another claim"),
        ({"claim": Claim("amid", ("kd",))}, "three states another claim"),
        ({"equivalent": 1.0}, "their margins differ"),
        ({"tested": "one"}, "test on the same samples"),
        ({"select": "best_valid"}, "three is left out"),
    ],
)
def test_a_claim_that_some_study_did_not_register_is_exploratory_and_says_why(runs, three, change, why):
    found = compared_studies.sort([*three[:2], on(runs, "three", **change)], CLAIM)
    assert any(why in reason for reason in exploratory_because(found))
    answer = compared.answer(compared_studies.page(found))
    assert answer.title.startswith("Exploratory: ")
    assert answer.state == "open"


def test_a_claim_over_studies_is_of_arms_that_all_have(three):
    with pytest.raises(ValueError, match="one has no 'fitnet'"):
        compared_studies.sort(three, Claim("fitnet", ("kd",)))


def test_heterogeneity_is_that_of_the_formulas():
    # Weights 1 and 1/4: the mean is 1.4, Q = 0.4² + 1.6² / 4 = 0.8, less than its one degree of freedom.
    two = heterogeneity([Interval(1.0, 1.0, 9), Interval(3.0, 2.0, 9)])
    assert (two.q, two.i2, two.mean) == (pytest.approx(0.8), 0.0, None)
    three = heterogeneity([Interval(d, 0.5, 9) for d in (0.0, 1.0, 5.0)])
    assert three.q == pytest.approx(4 * 14)
    assert three.i2 == pytest.approx(54 / 56)
    assert (three.mean.mean, three.mean.error) == (pytest.approx(2.0), pytest.approx(np.sqrt(7 / 3)))
    assert heterogeneity([Interval(1.0, 1.0, 9)]) is None
