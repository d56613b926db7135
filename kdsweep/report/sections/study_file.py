"""The study as it was asked for. The same file, launched again, gives this report again."""

from __future__ import annotations

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Command, Row, Table, compact

TITLE = "Study file"
CHAPTER = "reproduce"
ORDER = 90


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = [
        {
            "arm": runs.label(name),
            "name": name,
            "method": arm.method,
            "teacher": arm.teacher or "–",
            "terms": ", ".join(arm.recipe.terms),
            "choices": ", ".join(
                f"{choice}: {compact(value) if isinstance(value, float) else value}"
                for choice, value in arm.choices.items()
            ),
            "what it is": arm.recipe.summary,
        }
        for name, arm in runs.study.arms.items()
    ]
    command: list[Row] = [{"to do": "run it again", "command": Command(runs.study.command)}]
    return [Table("study", "The arms.", rows, page=False), Table("command", "How this report was made.", command)]


def listing(runs: Runs) -> str:
    return runs.study.file
