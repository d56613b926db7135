"""`kdsweep data import`: one dataset of several files, a modality each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kdsweep.cli.data.loading import progress
from kdsweep.cli.options import pairs


def import_(
    modality: Annotated[
        list[str],
        typer.Option(help="NAME=FILE[:COLUMN], a folder of images, sounds or videos, hf:NAME:COLUMN, module:callable"),
    ],
    label: Annotated[str, typer.Option(help="FILE:COLUMN, or FILE:PATTERN* of several columns")],
    out: Annotated[Path, typer.Option(help="folder to write; it must not exist")],
    task: Annotated[str, typer.Option(help="what a label is: the task, as in a study")] = "classification",
    id_: Annotated[
        str | None, typer.Option("--id", help="column that names rows; without it they match by order")
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option(help="FILE:COLUMN, or a column beside the label: never split; of several a study may name one"),
    ] = None,
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
    sources, made_for = pairs("--modality", modality), _task(task)
    pieces = {name: files.read(where, id_column=id_, recipe=recipe) for name, where in sources.items()}
    label_piece = files.read(label, id_column=id_)
    if id_ is not None and all(piece.ids is None for piece in (*pieces.values(), label_piece)):
        # Joining by order what was asked to be joined by id would give rows the labels of others.
        raise ValueError(f"--id names a column of the files, and none of them has {id_!r}")
    joined = importing.join(
        pieces,
        label_piece,
        groups={
            one.rpartition(":")[2]: files.read(_beside(one, label), id_column=id_) for one in dict.fromkeys(group or [])
        },
        split=files.read(_beside(split, label), id_column=id_) if split else None,
        task=made_for,
        kinds=_known("--kind", kind, sources),
        classes=tuple(name.strip() for name in classes.split(",")) if classes else (),
        licence=licence,
        source=source,
        id_column=id_ or "id",
        scratch=next(folder for folder in out.absolute().parents if folder.is_dir()),
        show=progress,
    )
    storage: Any = _known("--store", store, sources)
    if wrong := sorted(set(storage.values()) - {"float32", "float16", "uint8"}):
        raise ValueError(f"--store keeps values as float32, float16 or uint8, got {', '.join(wrong)}")
    fingerprint = format.write(joined.dataset, out, storage=storage, show=progress)
    counts = joined.counts
    typer.echo(f"wrote {out}: {counts.rows} rows, {len(joined.dataset.card.classes)} classes, {fingerprint}")
    for name, missing in counts.missing.items():
        typer.echo(f"{name}: missing in {missing} of {counts.rows} rows")
    if counts.unlabelled:
        typer.echo(f"label: none in {counts.unlabelled} of {counts.rows} rows")
    for number, why in (
        (counts.unlisted, "are not in the label's file"),
        (counts.without_any, "are in the label's file and in no modality"),
    ):
        if number:
            typer.echo(f"left out: {number} ids {why}")


def _task(name: str) -> str:
    from kdsweep.tasks.registry import TASKS

    if name not in TASKS:
        raise ValueError(f"--task is one of {', '.join(TASKS)}, got {name!r}")
    return name


def _known(flag: str, values: list[str] | None, modalities: dict[str, str]) -> dict[str, str]:
    by_modality = pairs(flag, values or [])
    for name in by_modality:
        if name not in modalities:
            raise ValueError(f"{flag} is about a modality, one of {', '.join(modalities)}, got {name!r}")
    return by_modality


def _beside(column: str, label: str) -> str:
    """A bare column is one of the label's own file."""
    return column if ":" in column or Path(column).exists() else f"{label.rpartition(':')[0]}:{column}"
