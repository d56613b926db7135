"""`python -m kdsweep data`: bring data of one's own, look at them, and give them a split."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from kdsweep.atomic import write_text

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset
    from kdsweep.values.study import Data, Task

app = typer.Typer(help="Bring data of your own, look at them, and give them a split.", no_args_is_help=True)
Out = Annotated[Path, typer.Option(help="folder to write; it must not exist")]
DATA = Annotated[str, typer.Argument(help="a folder, a shipped dataset, or package.module:callable", metavar="DATA")]
OPTION = Annotated[list[str] | None, typer.Option(help="NAME=VALUE for a dataset's loader, such as root=")]


@app.command("import")
def import_(
    modality: Annotated[
        list[str],
        typer.Option(help="NAME=FILE[:COLUMN], a folder of images, sounds or videos, hf:NAME:COLUMN, module:callable"),
    ],
    label: Annotated[str, typer.Option(help="FILE:COLUMN, or FILE:PATTERN* of several columns")],
    out: Out,
    task: Annotated[
        str, typer.Option(help="classification, retrieval, multilabel or regression: what a label is")
    ] = "classification",
    id_: Annotated[
        str | None, typer.Option("--id", help="column that names rows; without it they match by order")
    ] = None,
    group: Annotated[str | None, typer.Option(help="FILE:COLUMN, or a column beside the label: never split")] = None,
    split: Annotated[str | None, typer.Option(help="FILE:COLUMN, or a column beside the label")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="NAME=KIND, where an array's axes do not tell")] = None,
    store: Annotated[list[str] | None, typer.Option(help="NAME=float32|float16|uint8")] = None,
    classes: Annotated[str, typer.Option(help="names in order, with commas; default: those that occur")] = "",
    size: Annotated[int | None, typer.Option(help="edge to which images and frames are resized")] = None,
    mels: Annotated[int, typer.Option(min=1, help="bins of a sound's spectrogram")] = 64,
    frames: Annotated[int, typer.Option(min=1, help="of a video, evenly spaced")] = 16,
    licence: Annotated[str, typer.Option(help="of the data")] = "",
    source: Annotated[str, typer.Option(help="where the data come from")] = "",
) -> None:
    """Make one dataset of several files, a modality each, joined by id."""
    from kdsweep.data.disk import format
    from kdsweep.data.importing import files, media
    from kdsweep.data.importing import join as importing

    recipe = media.Recipe(size, mels, frames)
    try:
        told, made_for = _pairs("--modality", modality), _task(task)
        pieces = {name: files.read(where, id_column=id_, recipe=recipe) for name, where in told.items()}
        label_piece = files.read(label, id_column=id_)
        if id_ is not None and all(piece.ids is None for piece in (*pieces.values(), label_piece)):
            # Joining by order what was asked to be joined by id would give rows the labels of others.
            raise ValueError(f"--id names a column of the files, and none of them has {id_!r}")
        joined = importing.join(
            pieces,
            label_piece,
            group=files.read(_beside(group, label), id_column=id_) if group else None,
            split=files.read(_beside(split, label), id_column=id_) if split else None,
            task=made_for,
            kinds=_known("--kind", kind, told),
            classes=tuple(name.strip() for name in classes.split(",")) if classes else (),
            licence=licence,
            source=source,
            id_column=id_ or "id",
            scratch=next(folder for folder in out.absolute().parents if folder.is_dir()),
            show=_progress,
        )
        storage: Any = _known("--store", store, told)
        if wrong := sorted(set(storage.values()) - {"float32", "float16", "uint8"}):
            raise ValueError(f"--store keeps values as float32, float16 or uint8, got {', '.join(wrong)}")
        fingerprint = format.write(joined.dataset, out, storage=storage, show=_progress)
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
    data: DATA,
    option: OPTION = None,
    split_seed: Annotated[int, typer.Option(help="where the data have no split")] = 0,
    scores: Annotated[bool, typer.Option(help="also fit a linear model to each modality")] = True,
    html: Annotated[Path | None, typer.Option(help="also write a page that needs no network")] = None,
) -> None:
    """Show what a dataset holds, what may be wrong with it, and what its test part can tell apart."""
    from kdsweep.cli.data_display import show
    from kdsweep.data.look import audit, linear
    from kdsweep.report.render.data_page import Findings, render

    try:
        dataset, asked = _dataset(data, split_seed, _pairs("--option", option or []))
        found = Findings(
            name=data,
            card=dataset.card,
            audit=audit.audit(dataset, asked),
            scores=list(linear.scores(dataset, asked)) if scores else [],
            measure=linear.measure(dataset.card.task),
            fingerprint=dataset.fingerprint,
        )
        show(found)
        if html is not None:
            _write(html, render(found))
            typer.echo(f"wrote {html}")
    except (ValueError, OSError) as error:
        _fail(str(error))


@app.command()
def split(
    data: DATA,
    out: Annotated[Path, typer.Option(help="folder for one fold, or FILE.csv for all of them; it must not exist")],
    seed: Annotated[int, typer.Option(help="draws the split")] = 0,
    folds: Annotated[int, typer.Option(min=2, help="one in so many rows tests")] = 5,
    fold: Annotated[int | None, typer.Option(help="which of them a folder gets, from 0")] = None,
    leave_out: Annotated[list[str] | None, typer.Option(help="a group that tests, instead; may be repeated")] = None,
    every_group: Annotated[bool, typer.Option(help="each group tests once: a column of FILE.csv each")] = False,
    id_: Annotated[
        str | None, typer.Option("--id", help="what FILE.csv calls the column that names rows; default: as imported")
    ] = None,
    option: OPTION = None,
) -> None:
    """Give a dataset a split of its own: stratified by class, never through a group."""
    from kdsweep.data import split as splitting
    from kdsweep.data.disk import format

    try:
        if out.exists():
            raise ValueError(f"a split is written to a new place, and {out} exists")
        as_table = out.suffix.lower() == ".csv"
        if every_group and (leave_out or not as_table):
            raise ValueError("--every-group writes a FILE.csv and takes no --leave-out: a folder holds one split")
        if as_table and fold is not None:
            raise ValueError("a FILE.csv holds all folds, --fold picks one for a folder")
        dataset, asked = _dataset(data, 0, _pairs("--option", option or []))
        if as_table:
            columns = splitting.leave_one_out if every_group else splitting.k_fold
            made = {"split": splitting.leaving_out(dataset, leave_out, seed=seed).split} if leave_out else None
            splits = made or columns(dataset, seed=seed, folds=folds)
            table = splitting.table(dataset, splits, id_column=id_ or dataset.card.id_column)
            _write(out, table.to_csv(index=False))
            typer.echo(f"wrote {out}: {len(table)} rows, {len(table.columns) - 1} splits, a column each")
            return
        if leave_out:
            parted = splitting.leaving_out(dataset, leave_out, seed=seed)
        else:
            parted = splitting.drawn(dataset, seed=seed, folds=folds, fold=fold or 0)
        fingerprint = format.write(parted, out, show=_progress)
    except ValueError as error:
        _fail(str(error))
    counts = ", ".join(f"{part} {len(rows)}" for part, rows in parted.parts(asked).items())
    typer.echo(f"wrote {out}: {counts}, {fingerprint}")


def _write(path: Path, text: str) -> None:
    """In a folder that is made where there is none, as a report's is."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror or error}") from error


def _dataset(told: str, split_seed: int, options: dict[str, str]) -> tuple[Dataset, Data]:
    from kdsweep.data import registry as source
    from kdsweep.data.checks import check
    from kdsweep.values.study import Data

    if not Path(told).exists() and "/" in told and ":" not in told:
        raise ValueError(f"{told}: there is no such folder")
    place = "path" if Path(told).is_dir() else "python" if ":" in told else "name"
    # Which modality a student sees decides nothing here.
    asked = Data.model_validate({place: told, "student": ["any"], "split_seed": split_seed, "options": options})
    # Whoever wrote the files, and whoever wrote a loader: nothing is shown of what cannot be trained on.
    return check(source.load(asked), where=told), asked


def _task(told: str) -> Task:
    from typing import get_args

    from kdsweep.values.study import Task

    if told not in get_args(Task):
        raise ValueError(f"--task is one of {', '.join(get_args(Task))}, got {told!r}")
    return cast("Task", told)


def _progress(numbers: Iterable[int], name: str) -> Iterable[int]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    # A second is worth no bar, and a log holds none.
    return track(numbers, description=name, console=console, transient=True, disable=not console.is_terminal)


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
