"""A paper that something here comes from: what a bibliography needs, and how it is cited in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

SAY_NOTHING = {"a", "an", "the", "on", "of", "in", "for", "and", "to", "from"}


@dataclass(frozen=True, kw_only=True)
class Paper:
    """One paper.

    Attributes:
        authors: family names, or whole names as "Given Family"; a last "others" stands for the rest of many.
        venue: short, as "ICLR"; "" where it appeared nowhere but on arXiv.
        year: of the venue, else of the first version on arXiv.
        arxiv, doi: bare, as "1503.02531" and "10.2307/3002019".
        url: where it is to be read if it has neither.
        after: whether what cites it is our reading of it, because its own code is not public.
    """

    authors: tuple[str, ...]
    title: str
    venue: str = ""
    year: int
    arxiv: str = ""
    doi: str = ""
    url: str = ""
    after: bool = False

    @property
    def citation(self) -> str:
        """ "Hinton, Vinyals, Dean. Distilling the Knowledge in a Neural Network. arXiv:1503.02531"."""
        *names, last = self.authors
        authors = f"{', '.join(names)} et al" if last == "others" else ", ".join(self.authors)
        # An arXiv number tells the year; a venue does not.
        issue = f"{self.venue} {self.year}" if self.venue else "" if self.arxiv else str(self.year)
        where = [issue, f"arXiv:{self.arxiv}" if self.arxiv else "", f"doi:{self.doi}" if self.doi else ""]
        return f"{'After: ' if self.after else ''}{authors}. {self.title}. {', '.join(filter(None, where))}"

    @property
    def key(self) -> str:
        """First author, year, first word of the title that says something: "hinton2015distilling"."""
        word = next((w for w in map(_plain, self.title.split()) if w and w not in SAY_NOTHING), "")
        return f"{_plain(self.authors[0])}{self.year}{word}"

    @property
    def address(self) -> str:
        """Where it is to be read; "" where nobody says."""
        if self.arxiv:
            return f"https://arxiv.org/abs/{self.arxiv}"
        return f"https://doi.org/{self.doi}" if self.doi else self.url

    def to_json(self) -> dict[str, Any]:
        """What is filled, as JSON holds it."""
        return {name: list(value) if name == "authors" else value for name, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Paper:
        return cls(**{**fields, "authors": tuple(fields["authors"])})


def _plain(word: str) -> str:
    flat = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", flat.lower())
