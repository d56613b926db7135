"""BibTeX of the papers that a report names."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable
from dataclasses import replace

from kdsweep.report.render import latex
from kdsweep.values.paper import Paper

# Runs of earlier versions name their papers in words.
Cited = Paper | str


def render(papers: Iterable[Cited]) -> str:
    """One entry a paper, in the order of the keys."""
    entries: dict[str, str] = {}
    # Our reading of a paper and the paper itself are one entry.
    for paper in dict.fromkeys(replace(paper, after=False) if isinstance(paper, Paper) else paper for paper in papers):
        name = next(name for n in itertools.count(1) if (name := f"{key(paper)}{n if n > 1 else ''}") not in entries)
        entries[name] = _entry(name, paper)
    return "\n".join(entries[name] for name in sorted(entries))


def key(paper: Cited) -> str:
    """What the paper is called in references.bib; one that is known in words alone is told by a digest of them."""
    if isinstance(paper, Paper):
        return paper.key
    first = re.sub(r"[^a-z0-9]", "", paper.split(" ")[0].lower())
    return f"{first}{hashlib.sha256(paper.encode()).hexdigest()[:6]}"


def _entry(name: str, paper: Cited) -> str:
    if isinstance(paper, Paper):
        fields = {
            "author": " and ".join(latex.escape(author) for author in paper.authors),
            "title": f"{{{latex.escape(paper.title)}}}",
            "howpublished": latex.escape(paper.venue),
            "year": str(paper.year),
            "eprint": _address(paper.arxiv),
            "archiveprefix": "arXiv" if paper.arxiv else "",
            "doi": _address(paper.doi),
            "url": _address(paper.url),
        }
    else:
        fields = {"note": latex.escape(paper)}
    lines = [f"  {field} = {{{value}}}," for field, value in fields.items() if value]
    return "\n".join([f"@misc{{{name},", *lines, "}"]) + "\n"


def _address(words: str) -> str:
    """Read as it is, not as text: without what could end the field."""
    return re.sub(r"[{}\\\s]", "", words)
