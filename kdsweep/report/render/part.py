"""A section as a page shows it: asked for its content once, and at its own cost where it breaks."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from kdsweep.report.render.board import Board
from kdsweep.report.render.figures import named_at_marks
from kdsweep.report.render.section import Section
from kdsweep.report.render.tables import Table

EMPTY = "Nothing to show here: the study does not ask for it, or has not come to it."


@dataclass(frozen=True)
class Part:
    """A section as the page shows it.

    Attributes:
        chapter: where it stands.
        about: its caption.
        boards: what of its tables the page shows, in the place of the tables that the section has boards for.
        shown, linked: the tables that the page shows, and those whose files alone it names.
        words: paragraphs.
        figure: JSON of a plotly figure; "" where there is none.
        pictured: whether the page draws it: what has boards leaves it to the files.
        caption: of the figure.
        alt: what the figure shows, in words.
        numbers: what it draws, as CSV.
        height: of the figure, in pixels.
        files: texts to lie beside the page, by name.
        trouble: why it shows nothing.
        unfinished: what it still waits for; "" where it is whole.
    """

    slug: str
    title: str
    chapter: str = "front"
    about: str = ""
    words: tuple[str, ...] = ()
    listing: str = ""
    tables: tuple[Table, ...] = ()
    boards: tuple[Board, ...] = ()
    shown: tuple[Table, ...] = ()
    linked: tuple[Table, ...] = ()
    figure: str = ""
    pictured: bool = True
    caption: str = ""
    alt: str = ""
    numbers: str = ""
    height: int = 0
    files: tuple[tuple[str, str], ...] = ()
    trouble: str = ""
    unfinished: str = ""

    @property
    def empty(self) -> bool:
        """Whether it has nothing to show, and nothing went wrong."""
        return self.trouble == EMPTY

    @property
    def silent(self) -> bool:
        """Whether the page has no place for it: its content is in the files, or shown by another part."""
        figure = self.figure if self.pictured else ""
        there = (self.words, self.listing, self.boards, self.shown, self.linked, figure, self.trouble)
        return not any(there)


def draw(section: Section, subject: Any) -> Part:
    """A section's part of the page; a broken one costs its own place, never the report."""
    try:
        return _drawn(section, subject)
    except Exception as error:
        warnings.warn(f"the report's section {section.slug!r} failed: {error!r}", stacklevel=2)
        trouble = f"This section could not be drawn ({type(error).__name__}: {error})."
        return Part(section.slug, section.title, section.chapter, trouble=trouble)


def _drawn(section: Section, subject: Any) -> Part:
    tables = tuple(table for table in section.table(subject) if table.rows)
    boards = None if section.boards is None else tuple(board for board in section.boards(subject) if board.rows)
    # A board stands for its tables; where a section could have one and has none, another part shows its numbers.
    behind = {name for board in boards or () for name in board.files}
    rest = [table for table in tables if table.name not in behind] if boards != () else []
    words, listing = tuple(section.words(subject)), section.listing(subject)
    content: dict[str, Any] = {
        "about": section.about,
        "words": words,
        "listing": listing,
        "tables": tables,
        "boards": boards or (),
        "pictured": boards is None,
        "shown": tuple(table for table in rest if table.page),
        "linked": tuple(table for table in rest if not table.page),
        "files": tuple(section.files(subject).items()),
    }
    drawing = section.drawing(subject)
    if drawing is not None and section.figure is not None:
        figure = named_at_marks(section.figure(subject, drawing))
        content |= {
            "figure": _json(_short(json.loads(figure.to_json()))),
            "caption": section.caption,
            "alt": drawing.words(),
            "numbers": drawing.csv(),
            "height": int(figure.layout.height),
        }
    elif not (tables or words or listing):
        content["trouble"] = EMPTY
    title = section.heading(subject) if section.heading else section.title
    return Part(section.slug, title, section.chapter, **content)


def _json(value: Any) -> Markup:
    """JSON that can stand inside a script element: nothing in it ends the element or starts a comment."""
    text = json.dumps(value, separators=(",", ":"))
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return Markup(text)


def _short(value: Any) -> Any:
    """Numbers to six digits: a page holds many, and nobody sees more in a figure."""
    match value:
        case float():
            return float(f"{value:.6g}")
        case list():
            return [_short(item) for item in value]
        case dict():
            return {name: _short(item) for name, item in value.items()}
    return value
