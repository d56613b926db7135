"""One self-contained page out of the sections' folder, with every table and figure beside it as files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from kdsweep.atomic import write_text
from kdsweep.report import sections
from kdsweep.report.facts import progress
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import files, html
from kdsweep.report.render.glossary import explained, words
from kdsweep.report.render.part import Part, draw
from kdsweep.report.render.section import CHAPTERS, Answer, Page, Section, discover


class Headline(NamedTuple):
    """What a report says first, and where it lies."""

    answer: Answer
    path: Path

    @property
    def text(self) -> str:
        return self.answer.title


def build(runs: Runs, out: Path, *, figures: files.Ink = "") -> Headline:
    """Write out/index.html, and tables/, figures/, references.bib and runs.parquet beside it.

    Equal runs give equal files.

    Args:
        figures: "svg" or "pdf" for the figures themselves, beside their numbers.
    """
    out = Path(out)
    on_page = [section for section in discover(sections) if stands(section, runs)]
    parts = [part(section, runs) for section in on_page]
    files.write_tables(out / "tables", (table for part in parts for table in part.tables))
    files.write_figures(out / "figures", parts, figures)
    for name, text in (file for part in parts for file in part.files):
        write_text(out / name, text)
    files.write_runs(out / "runs.parquet", runs)
    answer = next(section.answer(runs) for section in on_page if section.answer is not None)
    write_text(out / "index.html", page(runs, answer, parts))
    return Headline(answer, out / "index.html")


def kind(runs: Runs) -> Page:
    """What the page is about."""
    if runs.compared is not None:
        return "compared"
    return "imported" if runs.study.imported else "study"


def stands(section: Section, runs: Runs) -> bool:
    """Whether a section has a place on the page of these runs."""
    return kind(runs) in section.pages and section.applies(runs)


def part(section: Section, runs: Runs) -> Part:
    """The section's part, with what it still waits for, and with what every table of this study has to say."""
    drawn = draw(section, runs)
    about = section.captions.get(kind(runs), drawn.about)
    drawn = replace(drawn, about=about, unfinished=progress.unfinished(section.rests, runs))
    if not runs.one_fold:
        return drawn
    note = f"{runs.one_fold.capitalize()}: other folds' test rows were trained on while they were chosen."
    return replace(drawn, tables=tuple(replace(table, notes=(*table.notes, note)) for table in drawn.tables))


def page(runs: Runs, answer: Answer, parts: Sequence[Part]) -> str:
    # What has nothing to show and waits for nothing is named at the end, and takes no room.
    absent = [part for part in parts if part.empty and not part.unfinished]
    seen = [part for part in parts if not part.silent and not (part.empty and part.chapter == "front")]
    seen = [part for part in seen if part not in absent]
    # The front says once what the study still waits for.
    waits = max((part.unfinished for part in parts if part.chapter == "front"), key=len, default="")
    seen = [replace(part, unfinished="") if part.chapter == "front" else part for part in seen]
    chapters = [(title, [part for part in seen if part.chapter == name]) for name, title in CHAPTERS.items()]
    explanations = words()
    return html.render(
        "page.html",
        study=runs.study,
        answer=answer,
        chapters=[(title, there) for title, there in chapters if there],
        waits=waits,
        absent=[part.title for part in absent],
        files=html.files,
        inside=lambda part: html.linked(part.numbers, f"figures/{part.slug}.csv"),
        tip=lambda column: explained(column, explanations),
    )
