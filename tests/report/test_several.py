"""Several studies on one page: what is compared, what is refused and why, and ranks over datasets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kdsweep.report import build
from kdsweep.report.facts import compared_studies
from kdsweep.report.facts.described import Budget
from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import across, compared, ranks
from kdsweep.report.statistics.compare import compare, confirmed
from kdsweep.report.statistics.ranks import average_ranks
from tests.helpers import report_fakes
from tests.helpers.commands import kdsweep, one_line, write


def study(
    name: str,
    data: str = "a",
    *,
    part: str = "",
    grouping: str = "",
    change: dict[str, Any] | None = None,
    **made: Any,
) -> Runs:
    """A finished study on this data; its trials have names of their own."""
    runs = report_fakes.make(search=3, seeds=4, samples=60, name=name, **made)
    described = replace(runs.study.data, fingerprint=data, parts=({"test": part or data},), grouping=grouping)
    changed = replace(runs.study, data=described, **{"train": {"epochs": 8}, **(change or {})})
    read, ids = runs.predictions, {id_: f"{name}:{id_}" for id_ in runs.index["trial"]}
    back = {new: old for old, new in ids.items()}
    renamed = [table.assign(trial=table["trial"].map(ids)) for table in (runs.index, runs.trials, runs.curves)]
    return Runs(changed, *renamed, lambda id_: read(back[id_]), history=runs.history)


@pytest.fixture(scope="module")
def pair() -> compared_studies.ComparedStudies:
    return compared_studies.sort([study("one"), study("two", skills={"kd": 4.0}, change={"train": {"epochs": 20}})])


def test_arms_of_the_same_data_are_paired_by_seed_and_sample(pair):
    (group,) = pair.groups
    one, two = (confirmed(group.runs, f"kd ({name})") for name in ("two", "one"))
    found = compare(group.runs, one, two)
    assert (found.over, found.n) == ("seeds × samples", 4)
    assert found.interval.mean > 0.1


def test_the_same_arm_in_two_studies_is_one_comparison_and_exploratory(pair):
    main, same = across.table(compared_studies.page(pair))
    assert [row["comparison"] for row in same.rows] == [
        f"{label} (two) − {label} (one)" for label in ("Student only", "KD", "AMID")
    ]
    assert {str(row["verdict"]) for row in same.rows} >= {"better"}
    assert {row["role"] for row in main.rows} <= {"baseline", "exploratory"}


def test_no_table_across_studies_spans_all_that_its_pairs_could_detect(pair):
    assert not [note for table in across.table(compared_studies.page(pair)) for note in table.notes if "detect" in note]


def test_what_differs_between_studies_on_the_same_data_is_told(pair):
    *_, differ = compared.table(compared_studies.page(pair))
    assert [(row["what"], row["study"], row["value"]) for row in differ.rows] == [
        ("train.epochs", "one", "8"),
        ("train.epochs", "two", "20"),
    ]


def test_unequal_budgets_get_no_verdict_across_studies():
    more = replace(study("two"))
    index = more.index[~((more.index["arm"] == "kd") & (more.index["stage"] == "search") & (more.index["number"] > 1))]
    found = compared_studies.sort([study("one"), replace(more, index=index)])
    _, same = across.table(compared_studies.page(found))
    (kd,) = [row for row in same.rows if row["comparison"].startswith("KD")]
    assert "tuning budgets differ" in kd["what stands in the way"]


def test_an_arm_that_one_study_ran_with_more_seeds_is_still_one_arm():
    one = study("one")
    more = replace(one.study, name="more")
    fewer = replace(one.study, name="fewer", budget=replace(one.study.budget, seeds=3))
    left = one.index[(one.index["stage"] != "confirm") | (one.index["seed"] <= 3)]
    (group,) = compared_studies.sort([replace(one, study=more), replace(one, study=fewer, index=left)]).groups
    assert group.runs.arms == ["student_only", "kd", "amid"]
    assert {confirmed(group.runs, arm).count for arm in group.runs.arms} == {"3"}


def test_a_study_shares_arms_that_are_the_same_trials():
    one = study("one")
    twin = replace(one, study=replace(one.study, name="twin"))
    (group,) = compared_studies.sort([one, twin]).groups
    assert len(group.runs.arms) == 3


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"change": {"metric": "macro_f1"}}, "no common scale"),
        ({"change": {"select": "best_valid"}}, "the last epoch"),
        ({"part": "others"}, "not tested on the same samples"),
        ({"change": {"student": ("bottom",)}}, "other modalities"),
        ({"grouping": "speakers"}, "grouped otherwise"),
        ({"change": {"budget": Budget(3, 4, repeats=2)}}, "a whole repeat"),
    ],
)
def test_what_is_not_comparable_is_refused_with_its_reason(change, why):
    other = study("other", **change)
    with pytest.raises(ValueError, match=why):
        compared_studies.sort([study("one"), other])
    found = compared_studies.sort([study("one"), study("two"), other])
    assert [(one.a, one.b) for one in found.refused] == [("one", "other"), ("two", "other")]
    studies, refused, *_ = compared.table(compared_studies.page(found))
    assert [row["state"] for row in studies.rows] == ["complete", "complete", "not compared"]
    assert why in refused.rows[0]["why"]


def test_two_studies_of_one_name_are_refused():
    with pytest.raises(ValueError, match="told apart by their names"):
        compared_studies.sort([study("one"), study("one", "b")])


def test_ranks_are_averaged_over_datasets():
    found = compared_studies.sort([study("one"), study("two", "b"), study("three", "c")])
    page = compared_studies.page(found)
    assert not across.applies(page)
    (table,) = ranks.table(page)
    scores = np.array([[row[name] for row in table.rows] for name in ("one", "two", "three")])
    expected = [1 + (scores > scores[:, [i]]).sum(1).mean() for i in range(3)]
    assert [row["average rank"] for row in table.rows] == pytest.approx(expected)
    assert table.rows[0]["arm"] == "AMID"
    assert ranks.drawing(page).numbers["arm"].tolist() == [row["arm"] for row in table.rows]


def test_of_several_studies_on_the_same_data_the_first_counts_in_the_ranks(pair):
    (table,) = ranks.table(compared_studies.page(compared_studies.sort([*pair.studies, study("three", "c")])))
    assert set(table.columns) == {"arm", "average rank", "one", "three", "best on"}
    assert len(table.rows) == 3


def test_the_critical_difference_is_that_of_the_published_table():
    # Demšar 2006, table 5a and section 3.2.2: q is 2.343 for three arms, 2.569 for four; four arms on 14 datasets.
    rng = np.random.default_rng(0)
    assert average_ranks(rng.normal(size=(14, 4))).critical == pytest.approx(1.25, abs=0.01)
    assert average_ranks(rng.normal(size=(6, 3))).critical == pytest.approx(2.343 * np.sqrt(3 * 4 / 36), abs=0.001)


def test_bars_join_what_is_not_told_apart():
    assert ranks.joined(np.array([1.0, 1.5, 3.0, 3.2]), 1.0) == [(1.0, 1.5), (3.0, 3.2)]
    assert ranks.joined(np.array([1.0, 2.0, 3.0]), 1.0) == [(1.0, 2.0), (2.0, 3.0)]
    assert ranks.joined(np.array([1.0, 3.0]), 1.0) == []


def test_the_page_has_the_comparison_alone(pair, tmp_path):
    page = build(compared_studies.page(pair), tmp_path).path.read_text()
    assert "Across studies" in page
    assert "Tuning budget" not in page
    assert "could not be drawn" not in page


def test_a_study_that_was_not_launched_is_one_clear_line(tmp_path):
    files = [write(tmp_path, name) for name in ("a.yaml", "b.yaml")]
    answer = kdsweep("report", *files, "--storage", tmp_path / "runs")
    assert answer.exit_code == 2
    assert "a was not launched yet" in one_line(answer.output)
