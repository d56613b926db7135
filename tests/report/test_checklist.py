"""A paper's checklist, filled in with what the runs know and with nothing else."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from kdsweep.report import sections
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import checklist
from kdsweep.report.render.page import stands
from kdsweep.report.render.section import discover
from tests.helpers import report_fakes

FILES = {"runs.parquet", "references.bib"}


@pytest.fixture(scope="module")
def runs() -> Runs:
    made = report_fakes.make(search=4, seeds=4, samples=60)
    trials = made.trials.assign(processor="x86_64 EPYC", cores=16, memory=64 * 2**30)
    return replace(made, study=replace(made.study, licence="CC BY 4.0", source="somewhere"), trials=trials)


def answers(runs: Runs) -> dict[str, checklist.Item]:
    return {item.title: item for item in checklist.items(runs)}


def test_every_question_is_answered_or_left_to_the_authors(runs):
    written = checklist.neurips(runs)
    assert len(re.findall(r"^## \d+\. ", written, re.MULTILINE)) == 16
    assert len(re.findall(r"^Answer: \[(Yes|No|TODO)\]$", written, re.MULTILINE)) == 16
    unknown = [item for item in checklist.items(runs) if item.justification == checklist.UNKNOWN]
    assert {item.answer for item in unknown} == {"TODO"}


def test_an_answer_rests_on_places_that_the_report_has(runs):
    there = {section.name for section in discover(sections) if stands(section, runs)} | FILES
    assert {place for item in checklist.items(runs) for place in item.where} <= there


def test_the_numbers_are_the_runs_own(runs):
    found = answers(runs)
    assert "over seeds × samples" in found["Statistical significance"].justification
    assert "n = 4" in found["Statistical significance"].justification
    assert "x86_64 EPYC, 16 cores, 64 GiB" in found["Compute resources"].justification
    assert f"{len(runs.trials):,} trials" in found["Compute resources"].justification
    assert "CC BY 4.0" in found["Licences for existing assets"].justification
    assert "4 trials on validation" in found["Experimental setting"].justification


def test_what_the_runs_do_not_know_is_not_said(runs):
    bare = replace(runs, study=replace(runs.study, licence="", claim=None))
    found = answers(bare)
    assert found["Licences for existing assets"].answer == "TODO"
    assert "No claim was stated beforehand" in found["Claims"].justification
    unfinished = report_fakes.make(search=2, seeds=3, samples=30, confirmed=1, complete=False)
    assert answers(unfinished)["Statistical significance"].answer == "No"


def test_names_are_no_markup_of_the_checklist():
    assert "<img" not in checklist.neurips(report_fakes.nasty())
