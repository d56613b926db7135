"""Every .tex and .bib beside a report is compiled, whatever its names hold. Needs pdflatex, which CI installs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kdsweep import methods
from kdsweep.report import sections
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import bibtex, files, latex
from kdsweep.report.render.page import part, stands
from kdsweep.report.render.section import discover
from kdsweep.report.render.tables import Difference, Finding, Spread, Table
from kdsweep.report.sections import paper_tables
from kdsweep.report.statistics.verdicts import Verdict
from kdsweep.values.paper import Paper
from tests.helpers import report_fakes

# What is to be installed is installed in CI: there it may not be missing.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (shutil.which("pdflatex") or os.environ.get("CI")), reason="needs pdflatex"),
]

ODD = 'ε-λ "quoted" `back` my_arm_100%&$x^2 <b>bold</b> \\input{x} 🎓👩‍🔬 蒸馏 Ångström Łódź ŉ ﬁ Ω≠≡ #1 ~ {brace}'
LONG = "a_very_long_name_of_an_arm-with-many.parts/and_no_space_in_it_at_all"
DOCUMENT = r"""
\documentclass[twocolumn]{article}
\usepackage{array,booktabs,amssymb}
\begin{document}
%s
\end{document}
"""


def compiled(folder: Path, body: str, *, bibliography: bool = False) -> str:
    """What pdflatex has to say of a paper with this body."""
    (folder / "paper.tex").write_text(DOCUMENT % body)
    paper = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "paper"]
    steps = [paper, ["bibtex", "paper"], paper] if bibliography else [paper]
    for step in steps:
        asked = subprocess.run(step, cwd=folder, capture_output=True, timeout=60, check=False)
        said = asked.stdout.decode(errors="replace")
        assert asked.returncode == 0, said[-2000:]
        assert "Warning--" not in said
    return (folder / "paper.log").read_text(errors="replace")


@pytest.fixture(scope="module")
def odd() -> Runs:
    labels = {"amid": ODD, "kd": LONG, "student_only": "λ_only"}
    runs = report_fakes.make(search=12, seeds=3, samples=40, name=ODD, labels=labels)
    rows = {f"{ODD}{name}": replace(row, name=f"{ODD}{name}") for name, row in runs.study.rows.items()}
    index = runs.index.assign(row=[f"{ODD}{row}" if row else row for row in runs.index["row"]])
    data = replace(runs.study.data, classes=(ODD, "b&", "c_", "d%"))
    study = replace(runs.study, rows=rows, data=data, student=(ODD,))
    return replace(runs, study=study, index=index, trials=runs.trials.assign(error=ODD, host=ODD))


def tables(runs: Runs) -> list[Table]:
    return [table for section in discover(sections) if stands(section, runs) for table in part(section, runs).tables]


def test_every_table_compiles_whatever_its_names_hold(odd, tmp_path):
    made = tables(odd)
    assert {"arms", "arms-paper", "ablation-paper"} <= {table.name for table in made}
    files.write_tables(tmp_path, made)
    written = sorted(path.stem for path in tmp_path.glob("*.tex"))
    compiled(tmp_path, "\n".join(rf"\input{{{name}}}\clearpage" for name in written))


def test_the_tables_for_a_paper_fit_a_column(odd, tmp_path):
    for runs in (odd, report_fakes.make(search=2, seeds=3, samples=40, equivalent=None, claim=False)):
        files.write_tables(tmp_path, paper_tables.table(runs))
        said = compiled(tmp_path, r"\input{arms-paper}\input{ablation-paper}")
        assert "Overfull" not in said


def test_a_table_with_many_baselines_spans_the_page(tmp_path):
    found = Finding(Difference(-10.25, -12.5, -8.75), Verdict("worse", 0.01))
    row = {"method": LONG, "accuracy (%)": Spread(88.25, 1.5), **{f"vs. baseline {i}": found for i in range(5)}}
    files.write_tables(tmp_path, [Table("many", "Many.", [row], narrow=True)])
    assert "Overfull" not in compiled(tmp_path, r"\input{many}")


def test_the_bibliography_compiles(tmp_path):
    odd = Paper(authors=("Łukasz & Co", "others"), title=ODD, venue="A&B_c", year=2020, url="https://a.b/c_d%20e#f")
    papers = [odd, *(paper for name in methods.names() for paper in cited(name))]
    (tmp_path / "references.bib").write_text(bibtex.render(papers))
    compiled(tmp_path, r"\nocite{*}\bibliographystyle{plain}\bibliography{references}", bibliography=True)


@pytest.mark.parametrize("name", methods.names())
def test_the_bibliography_of_a_method_has_every_number_of_arxiv_that_its_page_has(name):
    numbers = set(re.findall(r"arXiv:(\d{4}\.\d{4,5})", methods.load(name).module.__doc__))
    assert numbers <= set(re.findall(r"eprint = \{([\d.]+)\}", bibtex.render(cited(name))))


def cited(name: str) -> list[Paper]:
    """The papers of a method, whatever is chosen."""
    method = methods.load(name)
    others = [{choice: value} for choice, values in method.choices.items() for value in values[1:]]
    built = [method.build({**method.defaults(), **other}) for other in [{}, *others]]
    return [paper for objective in built for papers in objective.papers().values() for paper in papers]


@pytest.mark.parametrize(
    ("letter", "written"),
    [("ε", r"$\varepsilon$"), ("Δ", r"$\Delta$"), ("é", r"\'{e}"), ("ﬁ", "fi"), ("🎓", "[graduation cap]")],
)
def test_a_letter_that_is_not_ascii_is_spelt_out(letter, written):
    assert latex.escape(letter) == written


def test_no_name_leaves_a_special_letter_unescaped(odd):
    left = re.sub(r"\\[a-zA-Z]+|\\[^a-zA-Z]", "", latex.escape(ODD))
    assert not set("&%#_~") & set(left)
    assert left.isascii()
