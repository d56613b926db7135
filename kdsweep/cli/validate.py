"""`kdsweep validate`: check a study file without reading its data."""

from __future__ import annotations

import typer

from kdsweep.cli.options import StudyFile, load


def validate(study: StudyFile) -> None:
    """Check a study file without reading its data."""
    checked = load(study)
    for warning in checked.warnings:
        typer.echo(f"note: {warning}")
    searched = sorted({name for arm in checked.arms.values() for name in arm.space})
    typer.echo(f"{study}: {checked.name} is valid: {len(checked.arms)} arms on {', '.join(checked.student)}")
    typer.echo(f"searched: {', '.join(searched) or 'nothing'}")
