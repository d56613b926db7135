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

from kdsweep.report import build
from kdsweep.report.render import bibtex, files, latex, markdown, numbers
from kdsweep.report.render import page as html
from kdsweep.report.render.tables import Difference, P, Table
from kdsweep.report.sections import arms, headline, methods_text
from kdsweep.report.statistics.verdicts import Verdict
from tests.helpers import report_fakes
from tests.helpers.report_fakes import NASTY, elements, nasty


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return build(report_fakes.make(search=4, samples=60), tmp_path_factory.mktemp("report")).path.parent


@pytest.fixture(scope="module")
def attacked(tmp_path_factory) -> Path:
    return build(nasty(), tmp_path_factory.mktemp("attacked")).path.parent


def test_every_table_is_there_in_four_forms(folder):
    names = {path.stem for path in (folder / "tables").glob("*.csv")}
    assert {"arms", "ablation", "certainty", "others", "subsets"} <= names
    for suffix in ("tex", "md", "parquet"):
        assert {path.stem for path in (folder / "tables").glob(f"*.{suffix}")} == names


def test_parquet_holds_what_csv_holds_in_its_own_types(folder):
    typed, written = (pd.read_parquet(folder / "tables/arms.parquet"), pd.read_csv(folder / "tables/arms.csv"))
    assert list(typed) == [name.lstrip("'") for name in written]
    assert typed["accuracy (%)"].tolist() == pytest.approx(written["accuracy (%)"].tolist())
    assert typed["accuracy (%)"].dtype.kind == "f"


def test_every_figure_has_its_numbers_in_the_page_and_beside_it(folder):
    found = elements((folder / "index.html").read_text())
    links = {attrs["download"]: attrs["href"] for tag, attrs in found if tag == "a" and attrs.get("class") == "numbers"}
    inks = [attrs for tag, attrs in found if tag == "div" and attrs.get("class") == "ink"]
    assert len(links) == len(inks) >= 10
    for name, href in links.items():
        inside = base64.b64decode(href.removeprefix("data:text/csv;charset=utf-8;base64,")).decode()
        assert inside == (folder / "figures" / name).read_text()
        assert len(inside.splitlines()) > 1


def test_a_figures_numbers_are_its_points_with_their_intervals():
    figure = {
        "data": [
            {"name": "a&lt;b", "x": [1.0, 2.0], "y": [0, 1], "error_x": {"array": [0.5, 1], "arrayminus": [1, 1]}}
        ],
        "layout": {"yaxis": {"tickvals": [0, 1], "ticktext": ["one", "two"]}},
    }
    assert numbers.rows(figure).to_dict("records") == [
        {"trace": "a<b", "x": 1.0, "y": 0, "low": 0.0, "high": 1.5},
        {"trace": "a<b", "x": 2.0, "y": 1, "low": 1.0, "high": 3.0},
    ]
    figure["data"][0]["name"] = ""
    assert numbers.rows(figure)["trace"].tolist() == ["one", "two"]


def test_plotlys_packed_arrays_and_grids_are_read():
    packed = {"bdata": base64.b64encode(bytes([3, 0, 1, 0])).decode(), "dtype": "i2"}
    grid = {"type": "heatmap", "x": ["a", "b"], "y": ["c"], "z": [packed]}
    assert numbers.listed(packed) == [3, 1]
    assert numbers.rows({"data": [{**grid, "z": [[1, 2]]}]})[["x", "y", "z"]].values.tolist() == [
        ["a", "c", 1],
        ["b", "c", 2],
    ]


def test_a_point_of_a_figure_of_several_says_in_which_it_is():
    two = {"xaxis": {"title": {"text": "trials"}}, "xaxis2": {"title": {"text": "seconds"}}}
    data = [{"x": [1], "y": [2]}, {"x": [3], "y": [4], "xaxis": "x2"}]
    assert numbers.rows({"data": data, "layout": two})["panel"].tolist() == ["trials", "seconds"]
    heads = [{"text": "lr", "showarrow": False}, {"text": "a&lt;b", "showarrow": False}]
    assert numbers.rows({"data": data, "layout": {**two, "annotations": heads}})["panel"].tolist() == ["lr", "a<b"]


def test_lines_over_many_axes_are_rows_and_a_bars_foot_is_kept():
    lines = {
        "type": "parcoords",
        "dimensions": [{"label": "lr", "values": [1, 2]}, {"label": "score", "values": [3, 4]}],
    }
    assert numbers.rows({"data": [lines]})[["lr", "score"]].values.tolist() == [[1, 3], [2, 4]]
    assert numbers.words({"data": [lines]}) == "2 lines over lr, score"
    bar = {"type": "bar", "x": [2], "y": ["w"], "base": [5]}
    assert numbers.rows({"data": [bar]})[["x", "y", "base"]].values.tolist() == [[2, "w", 5]]


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


def test_each_paper_becomes_one_entry():
    written = bibtex.render(
        [
            report_fakes.HINTON,
            "Schuirmann. A comparison of the two. J. Pharm., 1987. doi:10.1007/BF01068419",
            "After: Wu et al. On {braces} & more. CVPR 2019, arXiv:1903.04197; Wu et al. On {braces} & less. 2019",
        ]
    )
    assert re.findall(r"@misc\{(\w+),", written) == [
        "hinton2015distilling", "schuirmann1987comparison", "wu2019braces", "wu2019braces2",
    ]  # fmt: skip
    assert "author = {Hinton and Vinyals and Dean}" in written
    assert "eprint = {1503.02531}" in written
    assert "doi = {10.1007/BF01068419}" in written
    assert r"title = {{On \{braces\} \& more}}" in written
    assert "Wu and others" in written


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
        "60 test samples in 6 groups",
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
    part = html.Part("s", "S", figure='{"data": [], "layout": {"height": 100}}')
    with pytest.raises(ValueError, match=r"kdsweep\[figures\]"):
        files.write_figures(tmp_path, [part], "svg")


@pytest.mark.skipif(not (shutil.which("chromium") or shutil.which("google-chrome")), reason="needs Chromium")
def test_a_figure_is_written_as_svg_in_the_colours_of_paper(tmp_path):
    pytest.importorskip("kaleido", reason="needs the extra 'figures'")
    data = '{"data": [{"type": "scatter", "x": [1, 2], "y": [3, 4]}], "layout": {"height": 200}}'
    files.write_figures(tmp_path, [html.Part("s", "S", figure=data)], "svg")
    written = (tmp_path / "s.svg").read_text()
    assert written.startswith("<svg")
    assert "rgb(255, 255, 255)" in written


def test_settings_chosen_on_one_fold_are_said_beside_every_table():
    runs = report_fakes.make(search=4, samples=60, folds=3, seeds=2)
    data = replace(runs.study.data, search_fold="first")
    runs = replace(runs, study=replace(runs.study, data=data))
    tables = [table for module in html.discover() for table in html.told(html.draw(module, runs), runs).tables]
    assert tables
    assert all("Settings chosen on fold 1" in " ".join(table.notes) for table in tables)
    assert "settings chosen on fold 1" in headline.facts(runs)
