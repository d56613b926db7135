"""One self-contained page about a dataset, before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kdsweep.report import data_sections
from kdsweep.report.render import html
from kdsweep.report.render.part import draw
from kdsweep.report.render.section import discover

if TYPE_CHECKING:
    from kdsweep.data.look.audit import Audit
    from kdsweep.data.look.linear import Score
    from kdsweep.report.statistics.pilot import Pilot
    from kdsweep.values.card import Card


@dataclass(frozen=True)
class Findings:
    """What was found in a dataset.

    Attributes:
        name: as the user told it.
        scores: of linear models; empty where none was fitted.
        measure: what a score is.
        fingerprint: of the whole content; "" where it is not known.
        pilot: whose variances say what the test part can show; None: typical ones do, for shares of right answers.
    """

    name: str
    card: Card
    audit: Audit
    scores: Sequence[Score]
    measure: str
    fingerprint: str = ""
    pilot: Pilot | None = None


def headline(findings: Findings) -> str:
    """What stands in the way of a study, in a line: nothing to distil comes before all that can be mended."""
    if nothing := _nothing_to_distil(findings):
        return nothing
    if count := len(findings.audit.warnings):
        return f"{count} thing{'s' if count > 1 else ''} to look at before a study"
    if _all(findings) is None:
        return "No warnings; whether there is anything to distil was not looked at"
    return "Nothing stands in the way of a study"


def render(findings: Findings) -> str:
    """The page; equal findings give equal pages."""
    parts = [draw(section, findings) for section in discover(data_sections)]
    return html.render(
        "data.html",
        findings=findings,
        headline=headline(findings),
        parts=[part for part in parts if not part.empty],
        facts=_facts(findings),
        tip=lambda column: None,
    )


def _nothing_to_distil(findings: Findings) -> str:
    """Why there is nothing to distil, into any student or into one that sees this modality; "" where there is."""
    if len(findings.card.modalities) < 2:
        return "Nothing to distil: the data have one modality, and a student has to see it"
    if (every := _all(findings)) is None:
        return ""
    # As they are printed: a gap that nobody sees is none.
    alone = {score.modalities[0]: round(100 * score.value, 1) for score in findings.scores if score is not every}
    both = round(100 * every.value, 1)
    enough = [f"{name} ({value:.1f} %)" for name, value in alone.items() if value >= both]
    if not enough:
        return ""
    seen = " or ".join(enough)
    return (
        f"By linear models there is nothing to distil into a student that sees {seen}: all modalities give {both:.1f} %"
    )


def _all(findings: Findings) -> Score | None:
    """The score of all modalities together."""
    return next((score for score in findings.scores if len(score.modalities) > 1), None)


def _facts(findings: Findings) -> list[str]:
    card, audit = findings.card, findings.audit
    rows = ", ".join(f"{part} {count}" for part, count in audit.rows.items())
    facts = [f"{sum(audit.rows.values())} rows ({rows})", f"task {card.task}"]
    facts.append(f"{len(card.classes)} {'targets' if audit.targets else 'classes'}")
    facts += [f"no label: {count} of {part}" for part, count in audit.unlabelled.items()]
    if audit.groups:
        facts.append("groups: " + ", ".join(f"{part} {count}" for part, count in audit.groups.items()))
    facts += [f"licence: {card.licence or 'not stated'}", f"source: {card.source or 'not stated'}"]
    return [*facts, *([f"fingerprint {findings.fingerprint}"] if findings.fingerprint else [])]
