"""What `report --runs` does: the report of runs that kdsweep did not make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from kdsweep.run.store import safe_name


@dataclass(frozen=True)
class Asked:
    """The tables, and what is to be said of them; `kdsweep.report.facts.imported.read` says what each is."""

    runs: Path
    predictions: Path | None
    metric: str
    claim: str | None
    against: tuple[str, ...]
    equivalent: float | None


def report(asked: Asked, console: Console, reports: Path) -> int:
    """Write it. Returns the exit code.

    Raises:
        ValueError: the tables are not what they have to be.
    """
    from kdsweep.report.facts import imported as elsewhere
    from kdsweep.report.render import page as html
    from kdsweep.report.sections import headline

    read = elsewhere.read(
        asked.runs,
        asked.predictions,
        metric=asked.metric,
        claim=asked.claim,
        against=asked.against,
        equivalent=asked.equivalent,
    )

    def say(_: object) -> headline.Said:
        said = headline.say(read)
        # Whether an auxiliary modality helps takes controls that a table of scores does not have.
        sentences = tuple(one for one in said.sentences if not asked.claim or one != headline.helps(read))
        facts = (
            f"{read.study['seeds']} seeds",
            *([f"{read.study['test_count']:,} test samples"] if asked.predictions else []),
        )
        return said._replace(sentences=sentences, facts=(*facts, "made elsewhere: budget and selection not verified"))

    written = html.build(read, reports / safe_name(read.study["name"]), say=say)
    console.print(f"\n{escape(written.text)}", soft_wrap=True)
    console.print("budget, selection and number of looks: not verified", soft_wrap=True)
    console.print(f"report: {escape(str(written.path))}", soft_wrap=True)
    return 0
