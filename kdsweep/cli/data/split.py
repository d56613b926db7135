"""`kdsweep data split`: give a dataset a split of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdsweep.cli.data.loading import load, progress, write
from kdsweep.cli.options import Dataset, LoaderOption, pairs


def split(
    data: Dataset,
    out: Annotated[Path, typer.Option(help="folder for one fold, or FILE.csv for all of them; it must not exist")],
    seed: Annotated[int, typer.Option(help="draws the split")] = 0,
    folds: Annotated[int, typer.Option(min=2, help="one in so many rows tests")] = 5,
    fold: Annotated[int | None, typer.Option(help="which of them a folder gets, from 0")] = None,
    leave_out: Annotated[list[str] | None, typer.Option(help="a group that tests, instead; may be repeated")] = None,
    every_group: Annotated[bool, typer.Option(help="each group tests once: a column of FILE.csv each")] = False,
    id_: Annotated[
        str | None, typer.Option("--id", help="what FILE.csv calls the column that names rows; default: as imported")
    ] = None,
    option: LoaderOption = None,
) -> None:
    """Give a dataset a split of its own: stratified by class, never through a group."""
    from kdsweep.data import split as splitting
    from kdsweep.data.disk import format
    from kdsweep.values.card import Split

    if out.exists():
        raise ValueError(f"a split is written to a new place, and {out} exists")
    as_table = out.suffix.lower() == ".csv"
    if every_group and (leave_out or not as_table):
        raise ValueError("--every-group writes a FILE.csv and takes no --leave-out: a folder holds one split")
    if as_table and fold is not None:
        raise ValueError("a FILE.csv holds all folds, --fold picks one for a folder")
    dataset = load(data, pairs("--option", option or []))
    if as_table:
        columns = splitting.leave_one_out if every_group else splitting.k_fold
        made = {"split": splitting.leaving_out(dataset, leave_out, seed=seed).split} if leave_out else None
        splits = made or columns(dataset, seed=seed, folds=folds)
        table = splitting.table(dataset, splits, id_column=id_ or dataset.card.id_column)
        write(out, table.to_csv(index=False))
        typer.echo(f"wrote {out}: {len(table)} rows, {len(table.columns) - 1} splits, a column each")
        return
    if leave_out:
        parted = splitting.leaving_out(dataset, leave_out, seed=seed)
    else:
        parted = splitting.drawn(dataset, seed=seed, folds=folds, fold=fold or 0)
    fingerprint = format.write(parted, out, show=progress)
    counts = ", ".join(f"{part} {len(rows)}" for part, rows in parted.parts(Split()).items())
    typer.echo(f"wrote {out}: {counts}, {fingerprint}")
