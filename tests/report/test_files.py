"""The files beside a report: tables in four forms, the numbers of figures, BibTeX, the methods paragraph."""

from __future__ import annotations

import base64
import csv as csv_reader
import io
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from kdsweep.report import build, sections
from kdsweep.report.render import bibtex, files, latex, markdown
from kdsweep.report.render.page import part, stands
from kdsweep.report.render.part import Part
from kdsweep.report.render.section import discover
from kdsweep.report.render.tables import Difference, Finding, P, Spread, Table
from kdsweep.report.sections import ablation, arms, headline, methods_text, paper_tables
from kdsweep.report.statistics.verdicts import Verdict
from kdsweep.values.paper import Paper
from tests.helpers import report_fakes
from tests.helpers.report_fakes import HINTON, NASTY, elements, nasty


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return build(report_fakes.make(search=4, samples=60), tmp_path_factory.mktemp("report")).path.parent


@pytest.fixture(scope="module")
def attacked(tmp_path_factory) -> Path:
    return build(nasty(), tmp_path_factory.mktemp("attacked")).path.parent


def test_every_table_is_there_in_four_forms(folder):
    names = {path.stem for path in (folder / "tables").glob("*.csv")}
    assert {"arms", "ablation", "certainty", "others"} <= names
    for suffix in ("tex", "md", "parquet"):
        assert {path.stem for path in (folder / "tables").glob(f"*.{suffix}")} == names


def test_parquet_holds_what_csv_holds_in_its_own_types(folder):
    typed, written = (pd.read_parquet(folder / "tables/arms.parquet"), pd.read_csv(folder / "tables/arms.csv"))
    assert list(typed) == [name.lstrip("'") for name in written]
    assert typed["accuracy (%)"].tolist() == pytest.approx(written["accuracy (%)"].tolist())
    assert typed["accuracy (%)"].dtype.kind == "f"


def test_the_table_of_runs_holds_the_scores_of_each_at_the_epoch_that_counts(folder, tmp_path):
    runs = report_fakes.make(search=4, samples=60)
    table = pd.read_parquet(folder / "runs.parquet").drop_duplicates("trial").set_index("trial")
    for name in ("test/accuracy", "test/macro_f1"):
        scores = runs.test(name.removeprefix("test/"))
        assert table[name].reindex(scores.index).tolist() == scores.tolist()
    assert table["valid/accuracy"].dropna().to_dict() == runs.valid.to_dict()
    early = replace(runs, trials=runs.trials.assign(selected=[3] * 5 + [0] * (len(runs.trials) - 5)))
    curve = runs.curve("valid/accuracy").set_index(["trial", "epoch"])["value"]
    read = files.scores(early)
    for trial, selected, epochs in early.trials[["trial", "selected", "epochs"]].head(10).itertuples(index=False):
        assert read["valid/accuracy"][trial] == curve[trial, selected or epochs]


def test_every_figure_has_its_numbers_in_the_page_and_beside_it(folder):
    found = elements((folder / "index.html").read_text())
    links = {attrs["download"]: attrs["href"] for tag, attrs in found if tag == "a" and attrs.get("class") == "numbers"}
    inks = [attrs for tag, attrs in found if tag == "div" and attrs.get("class") == "ink"]
    assert len(links) == len(inks) >= 10
    written = {name: href for name, href in links.items() if not href.startswith("data:")}
    assert all(href == f"figures/{name}" for name, href in written.items())
    for name, href in links.items() - written.items():
        inside = base64.b64decode(href.removeprefix("data:text/csv;charset=utf-8;base64,")).decode()
        assert inside == (folder / "figures" / name).read_text()
        assert len(inside.splitlines()) > 1


def test_a_figure_is_described_for_those_who_do_not_see_it(folder):
    found = elements((folder / "index.html").read_text())
    labels = [attrs["aria-label"] for tag, attrs in found if tag == "div" and attrs.get("class") == "ink"]
    assert any(re.search(r"AMID − KD: -?\d", label) for label in labels)
    assert all(re.search(r"\d", label) for label in labels)


TABLE = Table(
    "t",
    "caption",
    [{"who": "a|b", "score": 1.5, "d": Difference(1.0, 0.5, 1.5), "p": P(0.01), "v": Verdict("better", 0.01)}],
    bold=frozenset({(0, "score")}),
    dagger=frozenset({(0, "d")}),
)


def test_latex_has_the_best_mean_bold_and_daggers_at_significant_differences():
    written = latex.render(TABLE)
    assert r"\textbf{1.50} & +1.00 [0.50, 1.50]$^\dagger$" in written
    assert r"$^\dagger$ significant after adjustment" in written


def test_markdown_has_one_cell_a_column_whatever_a_name_holds():
    line = markdown.render(TABLE).splitlines()[-1]
    assert line == r"| a\|b | **1.50** | \+1.00 \[0.50, 1.50\]† | 0.010 | better |"
    assert markdown.escape("<img src=x> `a` [b](http://c)\n# d") == (r"&lt;img src=x&gt; \`a\` \[b\](http\://c) # d")


def test_the_best_arm_is_bold_and_a_reference_never_is():
    runs = report_fakes.make(search=2, samples=60)
    (table,) = arms.table(runs)
    ((place, column),) = table.bold
    assert (table.rows[place]["arm"], column) == ("AMID", "accuracy (%)")


def test_the_tables_for_a_paper_hold_the_numbers_of_the_full_ones():
    runs = report_fakes.make(search=2, samples=60)
    (full,), (short, rows) = arms.table(runs), paper_tables.table(runs)
    for row, again in zip(full.rows, short.rows, strict=True):
        assert (again["method"], again["accuracy (%)"]) == (row["arm"], Spread(row["accuracy (%)"], row["SD"]))
        found = again["vs. KD"]
        assert (found and found.difference) == row["− KD"]
    assert short.bold == frozenset({(2, "accuracy (%)")})
    # A control is judged as what the method is above it, and printed as what it is below the method.
    ablated = {row["row"]: row for row in ablation.table(runs)[0].rows}
    for row in rows.rows[1:]:
        assert row["vs. full"].difference == ablated[row["row"]]["difference"]
        assert row["vs. full"].verdict == ablated[row["row"]]["verdict"]


@pytest.mark.parametrize(
    ("verdict", "mark"),
    [
        (Verdict("better", 0.01), "↑"),
        (Verdict("worse", 0.01, margin="±2 points", within=True), "↓≈"),
        (Verdict("equivalent", 0.5, margin="±2 points"), "≈"),
        (Verdict("undecided", 0.5, margin="±2 points", provided=True), "(≈)"),
        (Verdict("undecided", 0.5), "?"),
        (Verdict("no verdict", None), ""),
    ],
)
def test_every_verdict_has_a_mark_for_a_column_without_words(verdict, mark):
    assert Finding(Difference(1.0, 0.5, 1.5), verdict).mark == mark


def test_a_caption_explains_the_marks_that_its_table_has():
    for table in paper_tables.table(report_fakes.make(search=2, samples=60)):
        marks = {cell.mark for row in table.rows for cell in row.values() if isinstance(cell, Finding)}
        assert marks == set(re.findall(r"([↑↓]≈|[↑↓]|\(≈\)|≈|\?)(?= )", table.caption.rpartition("Holm-adjusted")[2]))


def test_a_finding_is_printed_with_its_mark_and_written_with_its_verdict():
    found = Finding(Difference(-1.0, -1.5, -0.5), Verdict("worse", 0.01))
    table = Table("t", "c", [{"a": Spread(50.0, 1.25), "d": found}], {"a": 1, "d": 1}, narrow=True)
    assert markdown.render(table).splitlines()[-1] == r"| 50.0 ± 1.2 | −1.0 \[−1.5, −0.5\] ↓ |"
    assert table.flat().iloc[0].to_dict() == {
        "a": 50.0, "a: SD": 1.25, "d": -1.0, "d: low": -1.5, "d: high": -0.5, "d: verdict": "worse"
    }  # fmt: skip


def test_each_paper_becomes_one_entry():
    braces = Paper(authors=("Wu", "others"), title="On {braces} & more", venue="CVPR", year=2019, arxiv="1903.04197")
    twin = Paper(authors=("Wu",), title="On braces, again", year=2019, doi="10.1007/a_b")
    written = bibtex.render([HINTON, replace(HINTON, after=True), braces, twin])
    assert re.findall(r"@misc\{(\w+),", written) == ["hinton2015distilling", "wu2019braces", "wu2019braces2"]
    assert "author = {Hinton and Vinyals and Dean}" in written
    assert "eprint = {1503.02531}" in written
    assert "doi = {10.1007/a_b}" in written
    assert r"title = {{On \{braces\} \& more}}" in written
    assert "Wu and others" in written


def test_a_paper_that_is_known_in_words_alone_is_a_note():
    words = "Wu. On {braces}. CVPR 2019; Hinton. Distilling."
    assert f"@misc{{{bibtex.key(words)}," in bibtex.render([words])
    assert r"note = {Wu. On \{braces\}. CVPR 2019; Hinton. Distilling.}" in bibtex.render([words])


def test_the_bibliography_holds_what_the_methods_paragraph_names(folder):
    runs = report_fakes.make(search=4, samples=60)
    keys = set(re.findall(r"@misc\{(\w+),", (folder / "references.bib").read_text()))
    named = {key for group in re.findall(r"\[([a-z0-9, ]+)\]", methods_text.listing(runs)) for key in group.split(", ")}
    assert named <= keys
    assert "hinton2015distilling" in named


def test_the_methods_paragraph_says_what_was_done():
    said = methods_text.listing(report_fakes.make(search=4, samples=60, groups=6, looks=[5]))
    for words in (
        "4 search trials",
        "seeds 1 to 10",
        "60 test samples",
        "in 6 groups",
        "look 2",
        "±3 points",
        "test groups",
    ):
        assert words in said


# Names that attack


def test_no_csv_holds_a_formula(attacked):
    paths = [*(attacked / "tables").glob("*.csv"), *(attacked / "figures").glob("*.csv")]
    cells = [cell for path in paths for row in csv_reader.reader(io.StringIO(path.read_text())) for cell in row]
    assert any(NASTY in cell for cell in cells)
    assert not [cell for cell in cells if re.match(r"[=+@\t\r\n]|-(?![\d.])", cell)]


def test_no_latex_markdown_or_bibtex_holds_markup_of_a_name(attacked):
    for path in [
        *(attacked / "tables").glob("*.tex"),
        *(attacked / "tables").glob("*.md"),
        attacked / "references.bib",
    ]:
        assert "<img" not in path.read_text(), path


def test_a_stale_table_goes(folder):
    (folder / "tables" / "gone.md").write_text("old")
    build(report_fakes.make(search=2, samples=30, seeds=3), folder)
    assert not (folder / "tables" / "gone.md").exists()


# Figures as files


def test_without_kaleido_figures_as_files_say_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "kaleido", None)
    part = Part("s", "S", figure='{"data": [], "layout": {"height": 100}}')
    with pytest.raises(ValueError, match=r"kdsweep\[figures\]"):
        files.write_figures(tmp_path, [part], "svg")


@pytest.mark.skipif(not (shutil.which("chromium") or shutil.which("google-chrome")), reason="needs Chromium")
def test_a_figure_is_written_as_svg_in_the_colours_of_paper(tmp_path):
    pytest.importorskip("kaleido", reason="needs the extra 'figures'")
    data = '{"data": [{"type": "scatter", "x": [1, 2], "y": [3, 4]}], "layout": {"height": 200}}'
    files.write_figures(tmp_path, [Part("s", "S", figure=data)], "svg")
    written = (tmp_path / "s.svg").read_text()
    assert written.startswith("<svg")
    assert "rgb(255, 255, 255)" in written


def test_settings_chosen_on_one_fold_are_said_beside_every_table():
    runs = report_fakes.make(search=4, samples=60, folds=3, seeds=2)
    runs = replace(runs, study=replace(runs.study, data=replace(runs.study.data, search_fold="first")))
    tables = [table for section in discover(sections) if stands(section, runs) for table in part(section, runs).tables]
    assert tables
    assert all("Settings chosen on fold 1" in " ".join(table.notes) for table in tables)
    assert "settings chosen on fold 1" in headline.facts(runs)
