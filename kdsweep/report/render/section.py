"""What a section is: one module of a folder that states itself what it shows, where it stands, on what it rests."""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal, NamedTuple

import plotly.graph_objects as go

from kdsweep.report.render.board import Board
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Table

# What a page is about: a study, runs that somebody else made, or several studies.
Page = Literal["study", "imported", "compared"]

# What stands where, in order: the front is seen at once, every other chapter is folded under its heading.
CHAPTERS = {
    "front": "",
    "belief": "Can this be believed?",
    "gains": "Where it gains and loses",
    "training": "How it trained",
    "search": "What the search found",
    "paper": "For the paper",
    "reproduce": "Reproduce it",
}


class Answer(NamedTuple):
    """The first words of a page.

    Attributes:
        state: "holds", "fails" or "open".
        facts: what the answer rests on, in a line.
        cautions: why the numbers may not mean what they seem to, a sentence each: warnings under the answer.
    """

    title: str
    state: Literal["holds", "fails", "open"]
    sentences: tuple[str, ...]
    facts: tuple[str, ...]
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """One part of a page: the contract that its module keeps.

    A module needs a docstring, TITLE, CHAPTER, ORDER, and a function.

    What is asked for its content is called with the page's subject: `Runs` in sections/, `Findings` in data_sections/.

    Attributes:
        name: of the module, and of the part on the page.
        about: the module's docstring: what it shows, as the page's caption.
        title: TITLE, its heading.
        chapter: CHAPTER, the part of the page that it stands in: one of CHAPTERS.
        order: ORDER, where it stands in its chapter: the smallest first.
        rests: RESTS, the stages that its numbers come from: while one is unfinished, the section says so.
        pages: PAGES that it stands on; those of studies unless it says more.
        captions: CAPTIONS, other words than `about` on a kind of page.
        glossary: GLOSSARY, words of its column heads, explained: tooltips, and lines of the glossary.
        applies: whether it has a meaning for this subject at all, as Recall at k has none for a classification.
        heading: its heading, where that depends on what was found.
        table: the numbers, all of them: the files, and the page where there is no board.
        boards: the few of them that the page shows, drawn and written; a figure is then left to the files.
        drawing: the numbers of a figure; None where there is nothing to draw.
        figure: the ink, with a height, of such numbers; its docstring is the figure's caption, and names the interval.
        words: paragraphs.
        listing: text as it is.
        answer: the first words of the page: the first section that has any speaks.
        files: texts to lie beside the page, by name.
    """

    name: str
    title: str
    order: float
    chapter: str = "front"
    about: str = ""
    rests: tuple[str, ...] = ()
    pages: tuple[Page, ...] = ("study",)
    captions: Mapping[Page, str] = field(default_factory=dict)
    glossary: Mapping[str, str] = field(default_factory=dict)
    applies: Callable[[Any], bool] = lambda _: True
    heading: Callable[[Any], str] | None = None
    table: Callable[[Any], list[Table]] = lambda _: []
    boards: Callable[[Any], list[Board]] | None = None
    drawing: Callable[[Any], Drawing | None] = lambda _: None
    figure: Callable[[Any, Drawing], go.Figure] | None = None
    words: Callable[[Any], list[str]] = lambda _: []
    listing: Callable[[Any], str] = lambda _: ""
    answer: Callable[[Any], Answer] | None = None
    files: Callable[[Any], Mapping[str, str]] = lambda _: {}

    @property
    def slug(self) -> str:
        return self.name.replace("_", "-")

    @property
    def caption(self) -> str:
        """Of its figure."""
        return paragraph(self.figure.__doc__) if self.figure else ""


CONSTANTS = ("TITLE", "CHAPTER", "ORDER", "RESTS", "PAGES", "CAPTIONS", "GLOSSARY")
FUNCTIONS = ("applies", "heading", "table", "boards", "drawing", "figure", "words", "listing", "answer", "files")


def read(module: ModuleType) -> Section:
    """A module as a section.

    Raises:
        ValueError: it breaks the contract.
    """
    name = module.__name__.rpartition(".")[2]
    stated: dict[str, Any] = {key.lower(): getattr(module, key) for key in CONSTANTS if hasattr(module, key)}
    # What a module imports from another one is not its own.
    own = {key: value for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__}
    content: dict[str, Any] = {key: own[key] for key in FUNCTIONS if key in own}
    if not (module.__doc__ and {"title", "chapter", "order"} <= set(stated)):
        raise ValueError(f"a section has a docstring, TITLE, CHAPTER and ORDER, got {name}")
    if stated["chapter"] not in CHAPTERS:
        raise ValueError(f"CHAPTER is one of {', '.join(CHAPTERS)}, got {stated['chapter']!r} in {name}")
    if not content:
        raise ValueError(f"a section has at least one of {', '.join(FUNCTIONS)}, got none in {name}")
    if ("drawing" in content) != ("figure" in content):
        raise ValueError(f"a section's figure draws the numbers of its drawing: it has both or neither, got {name}")
    return Section(name=name, about=paragraph(module.__doc__), **stated, **content)


def discover(package: ModuleType) -> list[Section]:
    """The sections of a folder in their order; one that cannot be imported fails in its place, at the end."""
    names = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted((_named(package, name) for name in names), key=lambda section: (section.order, section.name))


def glossary(sections: Iterable[Section]) -> dict[str, str]:
    """Every word that a section explains."""
    return {word: meaning for section in sections for word, meaning in section.glossary.items()}


def paragraph(docstring: str | None) -> str:
    return " ".join(inspect.cleandoc(docstring or "").split())


def _named(package: ModuleType, name: str) -> Section:
    try:
        return read(importlib.import_module(f"{package.__name__}.{name}"))
    except Exception as error:
        failure = error

        def table(_: Any) -> list[Table]:
            raise failure

        return Section(name=name, title=name, order=math.inf, pages=("study", "imported", "compared"), table=table)
