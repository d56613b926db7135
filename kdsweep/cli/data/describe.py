"""`kdsweep data describe`: what a dataset holds, on the screen and as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdsweep.cli.data.loading import load, write
from kdsweep.cli.options import Dataset, LoaderOption, PilotFile, console, pairs
from kdsweep.cli.options import load as study

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kdsweep.report.render.data_page import Findings
    from kdsweep.report.statistics.pilot import Pilot


def describe(
    data: Dataset,
    option: LoaderOption = None,
    split_seed: Annotated[int, typer.Option(help="where the data have no split")] = 0,
    scores: Annotated[bool, typer.Option(help="also fit a linear model to each modality")] = True,
    pilot: PilotFile = None,
    html: Annotated[Path | None, typer.Option(help="also write a page that needs no network")] = None,
) -> None:
    """Show what a dataset holds, what may be wrong with it, and what its test part can tell apart."""
    from kdsweep.data.look import audit, linear
    from kdsweep.report.render.data_page import Findings, render
    from kdsweep.tasks import registry as tasks
    from kdsweep.values.card import Split

    dataset, split = load(data, pairs("--option", option or [])), Split(split_seed)
    findings = Findings(
        name=data,
        card=dataset.card,
        audit=audit.audit(dataset, split),
        scores=list(linear.scores(dataset, split)) if scores else [],
        measure=tasks.load(dataset.card.task).linear.measure,
        fingerprint=dataset.fingerprint,
        pilot=_pilot(pilot),
    )
    show(findings, console())
    if html is not None:
        write(html, render(findings))
        typer.echo(f"wrote {html}")


def _pilot(file: Path | None) -> Pilot | None:
    from kdsweep.cli.estimate import pilot_of

    return None if file is None else pilot_of(study(file), asked=True)


def show(findings: Findings, console: Console) -> None:
    """What stands in the way, then modalities, labels, what the test part can tell apart, and warnings."""
    from rich.markup import escape

    from kdsweep.report.data_sections import power
    from kdsweep.report.render.data_page import headline
    from kdsweep.report.statistics.verdicts import amount

    console.print(escape(headline(findings)), style="bold", soft_wrap=True)
    card, audit = findings.card, findings.audit
    parts = ", ".join(f"{part} {count}" for part, count in audit.rows.items())
    labels = f"{len(card.classes)} {'targets' if audit.targets else 'classes'}"
    console.print(f"{sum(audit.rows.values())} rows ({parts}), {labels}, task {card.task}")
    for part, count in audit.unlabelled.items():
        fate = "trained on without" if part == "train" else "left out"
        console.print(f"no label: {count} rows of {part}, {fate}")
    if audit.groups:
        console.print("groups: " + ", ".join(f"{part} {count}" for part, count in audit.groups.items()))
    console.print(escape(f"licence: {card.licence or 'not stated'}. source: {card.source or 'not stated'}"))
    console.print(_modalities(findings))
    _labels(findings, console)
    for line in power.lines(findings):
        console.print(
            f"{line.seeds} seeds can show a difference of about {amount(line.difference)} {line.unit} of {line.metric} "
            "on test"
        )
    for warning in audit.warnings:
        console.print(escape(f"warning: {warning}"), style="yellow")


def _modalities(findings: Findings) -> Table:
    from rich.markup import escape
    from rich.table import Table

    grid = Table("modality", "kind", "shape", box=None, pad_edge=False)
    for heading in ("present", f"linear {findings.measure}"):
        grid.add_column(heading, justify="right")
    by_name = {score.modalities: f"{100 * score.value:.1f} %" for score in findings.scores}
    for line in findings.audit.modalities:
        shape = " x ".join(map(str, line.modality.shape))
        score = by_name.get((line.name,), "")
        grid.add_row(escape(line.name), line.modality.kind, shape, f"{100 * line.present:.1f} %", score)
    every = tuple(findings.card.modalities)
    if len(every) > 1 and every in by_name:
        grid.add_row("all of them", "", "", "", by_name[every])
    return grid


def _labels(findings: Findings, console: Console) -> None:
    from rich.markup import escape

    for name, target in findings.audit.targets.items():
        spread = f"{target.mean:.3g} ± {target.deviation:.3g} in train, from {target.low:.3g} to {target.high:.3g}"
        console.print(escape(f"{name}: {spread}"))
    balance = sorted(findings.audit.classes.items(), key=lambda item: -item[1]["train"])
    if balance:
        (most, largest), (least, smallest) = balance[0], balance[-1]
        console.print(escape(f"largest class: {most} ({largest['train']} in train), "), end="")
        console.print(escape(f"smallest: {least} ({smallest['train']})"))
