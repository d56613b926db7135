"""The pictures of an ablation and of a budget, by their numbers."""

from __future__ import annotations

import numpy as np
import pytest

from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import (
    ablation,
    budget,
    fewer_labels,
    scarcity,
    settings,
    term_effects,
    weakening,
)
from kdsweep.report.statistics.compare import ablated, compare, confirmed, contrast
from kdsweep.report.statistics.crossed import Crossed
from tests.helpers import report_fakes

SCARCE = {
    "half": {"skill": 1.6, "kind": "each", "data": {"drop_auxiliary": 0.5}},
    "nearly none": {"skill": 1.25, "kind": "each", "data": {"drop_auxiliary": 0.9}},
}
POORER = {
    "labels alone": {"skill": 1.2, "kind": "each", "dropped": ["kd", "mi_teacher", "entropy"]},
    **{
        row: {"skill": skill, "kind": "each", "data": {"drop_labels": share}, "dropped": dropped}
        for share, both in ((0.5, (1.6, 1.0)), (0.9, (1.4, 0.3)))
        for row, skill, dropped in (
            (f"labels {share}", both[0], []),
            (f"labels alone {share}", both[1], ["kd", "mi_teacher", "entropy"]),
        )
    },
}
# What mi_teacher does alone, so that its interaction can be told.
ALONE = {"only mi_teacher": {"skill": 1.9, "kind": "add_one_in", "dropped": ["kd", "entropy"]}}


@pytest.fixture(scope="module")
def runs() -> Runs:
    return report_fakes.make(more_rows=SCARCE | POORER | ALONE, retuned=True, search=4, samples=300)


def mean(runs: Runs, side) -> float:
    return 100 * runs.test().reindex(list(side.finished.values())).mean()


def test_a_contrast_of_two_sides_is_their_comparison(runs):
    a, b = confirmed(runs, "amid"), confirmed(runs, "kd")
    assert contrast(runs, [a], [b]) == compare(runs, a, b).interval


def test_an_interaction_is_the_effect_in_company_less_the_effect_alone(runs):
    full, base = confirmed(runs, "amid"), confirmed(runs, "student_only")
    without, alone = (ablated(runs, row, retuned=False) for row in ("without mi_teacher", "only mi_teacher"))
    expected = mean(runs, full) - mean(runs, ablated(runs, "without mi_teacher", retuned=True))
    expected -= mean(runs, alone) - mean(runs, base)
    terms = next(table for table in term_effects.table(runs) if table.name == "terms")
    row = next(row for row in terms.rows if row["term"] == "mi_teacher")
    assert row["interaction"].value == pytest.approx(expected)
    D = [
        runs.units(full.finished[key]) - runs.units(without.finished[key])
        - runs.units(alone.finished[key]) + runs.units(base.finished[key])
        for key in sorted(full.finished)
    ]  # fmt: skip
    assert contrast(runs, [full, base], [without, alone]) == Crossed.of(np.stack(D)).interval


def test_rows_that_were_searched_stand_beside_themselves_unsearched(runs):
    table = next(table for table in term_effects.table(runs) if table.name == "retuned")
    assert [row["row"] for row in table.rows] == list(report_fakes.ROWS)
    for row in table.rows:
        gained = row["after its own search"].value - row["at the full method's settings"].value
        assert row["gained by searching"].value == pytest.approx(gained)


def test_controls_stand_in_the_ablations_table_as_what_they_lose(runs):
    table = ablation.table(runs)[0]
    row = next(row for row in table.rows if row["row"] == "control: shuffled_within_class")
    assert "pairing" in row["question"]
    assert (row["difference"].value < 0, row["verdict"].word) == (True, "worse")
    assert row["difference"].low < row["difference"].value < row["difference"].high


def test_the_words_say_which_terms_are_needed(runs):
    (said,) = ablation.words(runs)
    assert "Needed, since the row without it is worse" in said


def test_the_words_call_no_term_needed_for_what_other_data_do(runs):
    (said,) = ablation.words(runs)
    assert not [row for row in [*SCARCE, *POORER] if row != "labels alone" and row in said]
    questions = {row["row"]: row["question"] for row in ablation.table(runs)[0].rows}
    assert questions["labels alone 0.9"] == "What do the labels alone give there?"


def test_scarcity_is_a_curve_over_what_was_taken_away(runs):
    (table,) = scarcity.table(runs)
    assert [row["without auxiliary (%)"] for row in table.rows] == [0.0, 50.0, 90.0]
    leads = [row["− Student only"].value for row in table.rows]
    assert leads == sorted(leads, reverse=True)
    assert scarcity.drawing(runs).numbers["without auxiliary (%)"].tolist() == [0.0, 50.0, 90.0]


def test_fewer_labels_are_a_curve_beside_the_student_that_learns_from_those_alone(runs):
    (table,) = fewer_labels.table(runs)
    assert [row["labels left (%)"] for row in table.rows] == pytest.approx([10.0, 50.0, 100.0])
    few, half, whole = table.rows
    assert few["AMID"] < half["AMID"] < whole["AMID"]
    assert few["difference"].value > half["difference"].value > 0
    expected = compare(runs, *(ablated(runs, row, retuned=False) for row in ("labels 0.9", "labels alone 0.9")))
    assert few["difference"].value == pytest.approx(100 * expected.interval.mean)
    assert fewer_labels.drawing(runs).numbers["arm"].tolist() == ["AMID"] * 3 + ["labels alone"] * 3


def test_a_teacher_is_followed_by_epoch_beside_its_student(runs):
    (table,) = weakening.table(runs)
    row = next(row for row in table.rows if row["row"] == "AMID")
    assert row["gap at the end"] == pytest.approx(row["teacher at the end"] - row["student at the end"])


def test_the_budget_is_shown_in_trials_and_in_device_seconds(runs):
    numbers = budget.drawing(runs).numbers
    assert set(numbers["arm"]) == {"Student only", "KD", "AMID"}
    assert numbers["device-seconds"].tolist() == [3.5 * n for n in numbers["trials"]]
    assert any("leads on validation" in said for said in budget.words(runs))


def test_a_long_search_is_drawn_by_its_best_and_an_even_share_of_the_rest():
    runs = report_fakes.make(search=400, seeds=2, samples=20)
    tried = runs.select("search", "kd")
    best = 100 * tried["trial"].map(runs.valid)[tried["state"] != "failed"].max()
    drawing = settings.drawing(runs)
    clouds = [cloud for (_, arm), cloud in drawing.numbers.groupby(["number", "arm"]) if arm == "KD"]
    assert len(clouds) == 3
    for cloud in clouds:
        assert 100 <= len(cloud) <= settings.MOST
        assert cloud[drawing.value].max() == pytest.approx(best)
    assert budget.drawing(runs).numbers.groupby("arm").size().max() <= 130
