"""`python -m kdsweep data`: bring data of one's own, look at them, and give them a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from kdsweep.data.audit import Audit, Score
    from kdsweep.data.dataset import Dataset
    from kdsweep.study import Data

app = typer.Typer(help="Bring data of your own, look at them, and give them a split.", no_args_is_help=True)
Out = Annotated[Path, typer.Option(help="folder to write; it must not exist")]


@app.command("import")
def import_(
    modality: Annotated[
        list[str], typer.Option(help="NAME=FILE[:COLUMN], a folder of images or wav, or module:callable")
    ],
    label: Annotated[str, typer.Option(help="FILE:COLUMN")],
    out: Out,
    id_: Annotated[
        str | None, typer.Option("--id", help="column that names rows; without it they match by order")
    ] = None,
    group: Annotated[str | None, typer.Option(help="FILE:COLUMN, or a column beside the label: never split")] = None,
    split: Annotated[str | None, typer.Option(help="FILE:COLUMN, or a column beside the label")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="NAME=KIND, where an array's axes do not tell")] = None,
    store: Annotated[list[str] | None, typer.Option(help="NAME=float32|float16|uint8")] = None,
    classes: Annotated[str, typer.Option(help="names in order, with commas; default: those that occur")] = "",
    size: Annotated[int | None, typer.Option(help="edge to which images are resized")] = None,
    mels: Annotated[int, typer.Option(help="bins of a sound's spectrogram")] = 64,
    licence: Annotated[str, typer.Option(help="of the data")] = "",
    source: Annotated[str, typer.Option(help="where the data come from")] = "",
) -> None:
    """Make one dataset of several files, a modality each, joined by id."""
    from kdsweep.data import files, format, importing

    try:
        told = _pairs("--modality", modality)
        pieces = {name: files.read(where, id_column=id_, size=size, mels=mels) for name, where in told.items()}
        label_piece = files.read(label, id_column=id_)
        joined = importing.join(
            pieces,
            label_piece,
            group=files.read(_beside(group, label), id_column=id_) if group else None,
            split=files.read(_beside(split, label), id_column=id_) if split else None,
            kinds=_known("--kind", kind, told),
            classes=tuple(name.strip() for name in classes.split(",")) if classes else (),
            licence=licence,
            source=source,
        )
        storage: Any = _known("--store", store, told)
        if wrong := sorted(set(storage.values()) - {"float32", "float16", "uint8"}):
            raise ValueError(f"--store keeps values as float32, float16 or uint8, got {', '.join(wrong)}")
        fingerprint = format.write(joined.dataset, out, storage=storage)
    except ValueError as error:
        _fail(str(error))
    counts = joined.counts
    typer.echo(f"wrote {out}: {counts.rows} rows, {len(joined.dataset.card.classes)} classes, {fingerprint}")
    for name, missing in counts.missing.items():
        typer.echo(f"{name}: missing in {missing} of {counts.rows} rows")
    for number, why in ((counts.unlabelled, "have no label"), (counts.without_any, "have a label and no modality")):
        if number:
            typer.echo(f"left out: {number} ids {why}")


@app.command()
def describe(
    data: Annotated[
        str, typer.Argument(help="a folder, a shipped dataset, or package.module:callable", metavar="DATA")
    ],
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for a dataset's loader, such as root=")] = None,
    split_seed: Annotated[int, typer.Option(help="where the data have no split")] = 0,
    scores: Annotated[bool, typer.Option(help="also fit a linear model to each modality")] = True,
) -> None:
    """Show what a dataset holds, what may be wrong with it, and what its test part can tell apart."""
    from kdsweep.data import audit as audits

    try:
        dataset, asked = _dataset(data, split_seed, _pairs("--option", option or []))
        found = audits.audit(dataset, asked)
        fitted = list(audits.linear_scores(dataset, asked)) if scores else []
    except ValueError as error:
        _fail(str(error))
    from rich.console import Console

    _show(Console(highlight=False), dataset, found, fitted)


@app.command()
def split(
    data: Annotated[
        str, typer.Argument(help="a folder, a shipped dataset, or package.module:callable", metavar="DATA")
    ],
    out: Out,
    seed: Annotated[int, typer.Option(help="draws the split")] = 0,
    folds: Annotated[int, typer.Option(help="one in so many rows tests")] = 5,
    fold: Annotated[int, typer.Option(help="which of them, from 0")] = 0,
    leave_out: Annotated[list[str] | None, typer.Option(help="a group that tests, instead; may be repeated")] = None,
    option: Annotated[list[str] | None, typer.Option(help="NAME=VALUE for a dataset's loader, such as root=")] = None,
) -> None:
    """Write a dataset with a split of its own: stratified by class, never through a group."""
    from kdsweep.data import format, splitting

    try:
        dataset, asked = _dataset(data, 0, _pairs("--option", option or []))
        if leave_out:
            parted = splitting.leaving_out(dataset, leave_out, seed=seed)
        else:
            parted = splitting.drawn(dataset, seed=seed, folds=folds, fold=fold)
        fingerprint = format.write(parted, out)
    except ValueError as error:
        _fail(str(error))
    counts = ", ".join(f"{part} {len(rows)}" for part, rows in parted.parts(asked).items())
    typer.echo(f"wrote {out}: {counts}, {fingerprint}")


def _dataset(told: str, split_seed: int, options: dict[str, str]) -> tuple[Dataset, Data]:
    from kdsweep.data import source
    from kdsweep.study import Data

    place = "path" if Path(told).is_dir() else "python" if ":" in told else "name"
    # Which modality a student sees decides nothing here.
    asked = Data.model_validate({place: told, "student": ["any"], "split_seed": split_seed, "options": options})
    return source.load(asked), asked


def _show(console: Console, dataset: Dataset, found: Audit, scores: list[Score]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from kdsweep.report.stats import detectable

    card = dataset.card
    parts = ", ".join(f"{part} {count}" for part, count in found.rows.items())
    console.print(f"{len(dataset)} rows ({parts}), {len(card.classes)} classes, task {card.task}")
    if found.groups:
        console.print("groups: " + ", ".join(f"{part} {count}" for part, count in found.groups.items()))
    console.print(escape(f"licence: {card.licence or 'not stated'}. source: {card.source or 'not stated'}"))

    grid = Table("modality", "kind", "shape", box=None, pad_edge=False)
    for heading in ("present", "linear score"):
        grid.add_column(heading, justify="right")
    by_name = {score.modalities: score for score in scores}
    for line in found.modalities:
        score = by_name.get((line.name,))
        shape = " x ".join(map(str, line.modality.shape))
        shown = f"{100 * score.accuracy:.1f} %" if score else ""
        grid.add_row(escape(line.name), line.modality.kind, shape, f"{100 * line.present:.1f} %", shown)
    if (every := by_name.get(tuple(card.modalities))) is not None and len(card.modalities) > 1:
        grid.add_row("all of them", "", "", "", f"{100 * every.accuracy:.1f} %")
    console.print(grid)

    balance = sorted(found.classes.items(), key=lambda item: -item[1]["train"])
    largest, smallest = balance[0], balance[-1]
    console.print(
        escape(f"largest class: {largest[0]} ({largest[1]['train']} in train), ")
        + escape(f"smallest: {smallest[0]} ({smallest[1]['train']})")
    )
    groups = found.groups.get("test", 0)
    for seeds in (5, 10, 20):
        shows = 100 * detectable(seeds, found.rows["test"], groups=groups if groups > 1 else None)
        console.print(f"{seeds} seeds can show a difference of about {shows:.1f} points of accuracy on test")
    for warning in found.warnings:
        console.print(escape(f"warning: {warning}"), style="yellow")


def _pairs(flag: str, told: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in told:
        name, equals, value = pair.partition("=")
        if not (name and equals and value) or name in found:
            raise ValueError(f"{flag} is NAME=VALUE, each name once, got {pair!r}")
        found[name] = value
    return found


def _known(flag: str, told: list[str] | None, modalities: dict[str, str]) -> dict[str, str]:
    found = _pairs(flag, told or [])
    for name in found:
        if name not in modalities:
            raise ValueError(f"{flag} is about a modality, one of {', '.join(modalities)}, got {name!r}")
    return found


def _beside(told: str, label: str) -> str:
    """A bare column is one of the label's own file."""
    return told if ":" in told or Path(told).exists() else f"{label.rpartition(':')[0]}:{told}"


def _fail(message: str) -> Any:
    typer.echo(message, err=True)
    raise typer.Exit(2)
