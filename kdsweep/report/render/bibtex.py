"""BibTeX of the papers that a report names, read from their citations in words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from kdsweep.report.render import latex

ARXIV = re.compile(r"arXiv:\s*(\d{4}\.\d{4,5}|[a-z-]+/\d{7})")
DOI = re.compile(r"\b(10\.\d{4,9}/[^\s,;]+[^\s,;.])")
AFTER = re.compile(r"^After:\s*")  # our reading of a paper without public code
YEAR = re.compile(r"\b(?:19|20)\d\d\b")
STOP = {"a", "an", "the", "on", "of", "in", "for", "and", "to", "from"}


def render(papers: Iterable[str]) -> str:
    """One entry a paper, in the order of the keys; a citation that names several papers gives several."""
    entries: dict[str, str] = {}
    for citation in dict.fromkeys(one for paper in papers for one in split(paper)):
        name = _free(key(citation), entries)
        entries[name] = _entry(name, citation)
    return "\n".join(entries[name] for name in sorted(entries))


def split(papers: str) -> list[str]:
    """The citations in one string of them."""
    return [found for one in papers.split(";") if (found := AFTER.sub("", one.strip()))]


def key(citation: str) -> str:
    """First author, year, first word of the title that says something: "hinton2015distilling"."""
    authors, _, rest = AFTER.sub("", citation).partition(". ")
    first = _ascii(re.split(r",| et al", authors)[0])
    word = next((w for w in map(_ascii, rest.split()) if w and w not in STOP), "")
    return f"{first}{_year(citation)}{word}" or "paper"


def _entry(name: str, citation: str) -> str:
    authors, title, venue = _parts(citation)
    arxiv, doi = ARXIV.search(citation), DOI.search(citation)
    fields = {
        "author": authors,
        "title": f"{{{title}}}" if title else "",
        "howpublished": venue,
        "year": _year(citation),
        "eprint": arxiv[1] if arxiv else "",
        "archiveprefix": "arXiv" if arxiv else "",
        "doi": doi[1] if doi else "",
    }
    lines = [f"  {field} = {{{value}}}," for field, value in fields.items() if value]
    return "\n".join([f"@misc{{{name},", *lines, "}"]) + "\n"


def _parts(citation: str) -> tuple[str, str, str]:
    """Authors, title, venue; all of it is the title where the citation is not of the form "Authors. Title. Venue"."""
    authors, dot, rest = citation.partition(". ")
    if not dot:
        return "", latex.escape(citation), ""
    title, _, venue = rest.partition(". ")
    venue = DOI.sub("", ARXIV.sub("", YEAR.sub("", venue))).replace("doi:", "").strip(" ,.")
    names = re.sub(r"\s+et al$", " and others", authors).split(", ")
    return " and ".join(latex.escape(name) for name in names), latex.escape(title.rstrip(".")), latex.escape(venue)


def _year(citation: str) -> str:
    """The one that is printed, else that of the arXiv number."""
    found = YEAR.findall(ARXIV.sub("", DOI.sub("", citation)))
    if found:
        return str(found[-1])
    arxiv = ARXIV.search(citation)
    return f"20{arxiv[1][:2]}" if arxiv and arxiv[1][0].isdigit() else ""


def _free(wish: str, taken: dict[str, str]) -> str:
    return next(name for name in (wish, *(f"{wish}{n}" for n in range(2, 10_000))) if name not in taken)


def _ascii(word: str) -> str:
    flat = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]", "", flat.lower())
