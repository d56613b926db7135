"""`kdsweep replay`: train a stored trial or an archived row again, and compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kdsweep.cli.errors import DONE, INCOMPLETE
from kdsweep.cli.options import console


def replay(
    trial: Annotated[
        str | None, typer.Argument(help="its id, or enough of its beginning", metavar="TRIAL", show_default=False)
    ] = None,
    storage: Annotated[str, typer.Option(help="root of the results")] = "runs/",
    row: Annotated[Path | None, typer.Option(help="an archive of `export row`, in the place of a trial")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="of the archive's runs, the first so many")] = 2,
    data: Annotated[Path | None, typer.Option(help="the archive's dataset, where its folder is elsewhere")] = None,
    allow_code: Annotated[
        list[str] | None, typer.Option(help="a module of your own that the trial or row names; may be repeated")
    ] = None,
) -> int:
    """Train one trial, or an archived row, again and compare: bit-identical, or where it parts."""
    if (trial is None) == (row is None):
        raise ValueError("replay takes a TRIAL, or --row and an archive of `export row`")
    if row is not None:
        return _row(row, seeds=seeds, data=data, allow_code=allow_code or ())
    from rich.markup import escape

    from kdsweep.run import replay
    from kdsweep.run.store import open_store

    answer = replay.replay(str(trial), open_store(storage), allow_code=allow_code or ())
    console().print(escape(answer.text), soft_wrap=True)
    return DONE if answer.identical else INCOMPLETE


def _row(path: Path, *, seeds: int, data: Path | None, allow_code: Sequence[str]) -> int:
    """Train an archived row again, its models too: `DONE` where every number is the same."""
    from rich.markup import escape

    from kdsweep.run import archive

    screen, described = console(), archive.describe(path)
    _find_data(described, data)
    runs = described["runs"][:seeds]
    screen.print(
        f"row {escape(str(described['row']))} of {escape(str(described['study']))}: {len(runs)} of "
        f"{len(described['runs'])} runs, and the models that they read",
        soft_wrap=True,
    )
    identical = total = 0
    for answer in archive.replay(path, seeds=seeds, data=data, allow_code=allow_code):
        screen.print(escape(answer.text), soft_wrap=True)
        identical, total = identical + answer.identical, total + 1
    verdict = "bit-identical" if identical == total else "different"
    screen.print(f"{verdict}: {identical} of {total} trials came to the same numbers")
    return DONE if identical == total else INCOMPLETE


def _find_data(described: Mapping[str, Any], data: Path | None) -> None:
    """A row's folder of data is where it was or where --data says: asked before anything is trained.

    Raises:
        ValueError: there is no such folder.
    """
    then = described["data"].get("path")
    if then is not None and data is None and not Path(then).is_dir():
        gone = f"the row's data are not where they were, there is no folder {Path(then).absolute()}"
        raise ValueError(f"{gone}: say with --data where they are now")
