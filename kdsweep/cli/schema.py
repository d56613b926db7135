"""`kdsweep schema`: the JSON Schema of study files, for editors."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of study files, for editors."""
    from kdsweep import study_file

    typer.echo(json.dumps(study_file.schema(), indent=2))
