"""`kdsweep export`: a part of a study as a file for others to check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdsweep.cli.options import Storage, StudyFile, console, load


def row(
    study: StudyFile,
    row: Annotated[str, typer.Argument(help="an arm, or a row or control of the ablation", metavar="ROW")],
    out: Annotated[Path | None, typer.Option(help="archive to write; default: STUDY-ROW.zip")] = None,
    storage: Storage = None,
) -> None:
    """Pack a row's trials, models' settings, versions and expected values into one file."""
    from rich.markup import escape

    from kdsweep.run import archive
    from kdsweep.run.store import open_store, safe_name

    exported, screen = load(study, storage), console()
    out = out or Path(f"{safe_name(exported.name)}-{safe_name(row)}.zip")
    if out.exists():
        raise ValueError(f"{out} exists: name another file, or remove it")
    count = archive.export(exported, open_store(exported.storage), row, out)
    size = out.stat().st_size / 1000
    screen.print(f"wrote {escape(str(out))}: {count} trials, {size:.0f} kB", soft_wrap=True)
    screen.print(f"to check it anywhere: python -m kdsweep replay --row {escape(str(out))}", soft_wrap=True)
