"""Every section keeps the contract of sections, and one that breaks costs its own place alone."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import replace
from types import ModuleType

import pytest

from kdsweep.report import data_sections, sections
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import glossary
from kdsweep.report.render.page import stands
from kdsweep.report.render.part import draw
from kdsweep.report.render.section import Section, discover, read
from kdsweep.report.render.tables import Link
from kdsweep.report.sections import papers
from kdsweep.values.stages import STAGES
from tests.helpers import report_fakes
from tests.helpers.report_fakes import HINTON

EVERY = [section for folder in (sections, data_sections) for section in discover(folder)]


@pytest.fixture(scope="module")
def runs() -> Runs:
    return report_fakes.make(search=12, seeds=4, samples=60)


def section(source: str) -> Section:
    """A module of this source, as a section."""
    module = ModuleType("somewhere.fake")
    exec(source, module.__dict__)
    return read(module)


@pytest.mark.parametrize("section", EVERY, ids=lambda section: section.name)
def test_every_section_states_what_it_is(section):
    # One that breaks the contract stands at the end, under its module's name.
    assert section.title != section.name
    assert section.about
    assert set(section.rests) <= set(STAGES)
    assert section.pages
    assert set(section.captions) <= set(section.pages)


@pytest.mark.parametrize("section", discover(sections), ids=lambda section: section.name)
def test_a_figure_draws_numbers_with_names_and_says_what_its_interval_is(section, runs):
    drawing = section.drawing(runs) if stands(section, runs) else None
    if drawing is None:
        return
    assert {drawing.value, *drawing.of, *filter(None, [drawing.along])} <= set(drawing.numbers)
    assert len(drawing.numbers)
    assert section.figure(runs, drawing).layout.height
    assert re.search(r"interval|range|mean|median|trial", section.caption)


def test_no_word_is_explained_twice():
    words = [word for section in EVERY for word in section.glossary] + list(glossary.GLOSSARY)
    assert len(words) == len(set(words))


def test_every_kind_of_page_has_first_words():
    assert {page for section in EVERY if section.answer for page in section.pages} == {"study", "imported", "compared"}


STATED = '"""A."""\nTITLE, CHAPTER, ORDER = "A", "front", 1\n'


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ('TITLE, CHAPTER, ORDER = "A", "front", 1\ndef table(runs): return []', "docstring"),
        ('"""A."""\nCHAPTER, ORDER = "front", 1\ndef table(runs): return []', "TITLE"),
        ('"""A."""\nTITLE, ORDER = "A", 1\ndef table(runs): return []', "CHAPTER"),
        ('"""A."""\nTITLE, CHAPTER, ORDER = "A", "back", 1\ndef table(runs): return []', "one of front, belief"),
        (STATED, "at least one"),
        (f"{STATED}def figure(runs, drawing): ...", "both or neither"),
        # What a module imports is not its own.
        (f"{STATED}from kdsweep.report.sections.arms import table", "at least one"),
    ],
)
def test_a_module_that_breaks_the_contract_is_refused(source, rule):
    with pytest.raises(ValueError, match=rule):
        section(source)


def test_a_section_that_breaks_says_so_in_its_place():
    broken = section(f"{STATED}def table(runs): return 1 / 0")
    with pytest.warns(UserWarning, match="fake"):
        part = draw(broken, None)
    assert "This section could not be drawn (ZeroDivisionError" in part.trouble


def test_a_file_in_the_folder_is_a_section_even_if_it_cannot_be_imported(tmp_path, monkeypatch):
    folder = tmp_path / "some_sections"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "late.py").write_text(
        '"""Late."""\nTITLE, CHAPTER, ORDER = "Late", "front", 2\ndef words(runs): return ["late"]'
    )
    (folder / "early.py").write_text(
        '"""Early."""\nTITLE, CHAPTER, ORDER = "Early", "front", 1\ndef words(runs): return ["early"]'
    )
    (folder / "bad.py").write_text("import nowhere_at_all")
    monkeypatch.syspath_prepend(tmp_path)
    found = discover(importlib.import_module("some_sections"))
    assert [section.name for section in found] == ["early", "late", "bad"]
    with pytest.warns(UserWarning, match="nowhere_at_all"):
        assert "ModuleNotFoundError" in draw(found[-1], None).trouble


def test_an_old_papers_words_stay_words_and_a_papers_link_leads_to_it(runs):
    words = "Someone. Something. arXiv:1503.02531; javascript:alert(1)"
    old = replace(runs, trials=runs.trials.assign(papers=json.dumps({"kd": words, "ce": ""})))
    assert papers.table(old)[0].rows == [{"used by": "kd", "paper": Link(words, "")}]
    assert papers.link(HINTON) == Link(HINTON.citation, "https://arxiv.org/abs/1503.02531")
