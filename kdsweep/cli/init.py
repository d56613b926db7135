"""`kdsweep init`: a first study file for a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kdsweep.cli.options import Dataset, where


def init(
    data: Dataset,
    student: Annotated[list[str], typer.Option(help="a modality seen at deployment; may be given several times")],
    out: Annotated[Path | None, typer.Option(help="file to write; default: print it")] = None,
) -> None:
    """Write a commented, valid study for a dataset."""
    from kdsweep import study_file
    from kdsweep.data import registry
    from kdsweep.values.card import Reference

    text = study_file.template(
        data, registry.card(Reference(**{where(data): data}, options={})), student=tuple(student)
    )
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise ValueError(f"{out} exists: name another file, or remove it")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    typer.echo(f"wrote {out}; now: python -m kdsweep launch {out}")
