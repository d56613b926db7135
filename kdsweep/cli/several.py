"""What `report A B C` does: several studies on one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from kdsweep.run import opening
from kdsweep.run.store import safe_name
from kdsweep.values.study import Study


def report(studies: Sequence[Study], console: Console, reports: Path) -> int:
    """Compare what is there of each; runs nothing, and writes nothing into their stores. Returns the exit code.

    Raises:
        ValueError: a storage cannot be used, a study was not launched, or no two of them are comparable.
    """
    from kdsweep.report.facts import several
    from kdsweep.report.facts.collect import collect
    from kdsweep.report.render import page as html
    from kdsweep.report.sections import headline
    from kdsweep.run.launch import with_facts

    collected = []
    for study in studies:
        results = opening.store(study.storage)
        if not results.read_rows(study.name, "index"):
            raise ValueError(f"{study.name} was not launched yet under {study.storage}")
        collected.append(collect(with_facts(study), results))
    found = several.sort(collected)
    for one in found.refused:
        console.print(f"not compared: {escape(one.b)} with {escape(one.a)}: {escape(one.why)}", soft_wrap=True)
    runs = several.page(found)
    compared = [name for group in found.groups for name in group.names]
    title = f"{', '.join(compared[:-1])} and {compared[-1]} compared"
    datasets = f"{len(found.groups)} dataset{'s' if len(found.groups) > 1 else ''}"

    def say(_: object) -> headline.Said:
        sentences = ("Nobody stated these comparisons beforehand: all of them are exploratory.",)
        return headline.Said(title, "open", sentences, (f"{len(compared)} studies", datasets))

    written = html.build(runs, reports / safe_name("-".join(study.name for study in studies)), say=say)
    console.print(f"\n{escape(written.text)}, on {datasets}", soft_wrap=True)
    console.print(f"report: {escape(str(written.path))}", soft_wrap=True)
    return 0
