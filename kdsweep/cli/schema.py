"""`kdsweep schema`: the JSON Schemas of study files, and of what `report --json` and `status --json` print."""

from __future__ import annotations

import json
from enum import StrEnum
from importlib.resources import files
from typing import Annotated

import typer


class Of(StrEnum):
    study = "study"
    report = "report"
    status = "status"


def schema(of: Annotated[Of, typer.Argument(help="what it describes", metavar="OF")] = Of.study) -> None:
    """Print a JSON Schema: of study files, for editors, or of what report and status print as JSON."""
    if of is not Of.study:
        typer.echo((files("kdsweep") / "schemas" / f"{of.value}-1.json").read_text(encoding="utf-8").rstrip())
        return
    from kdsweep import study_file

    typer.echo(json.dumps(study_file.schema(), indent=2))
