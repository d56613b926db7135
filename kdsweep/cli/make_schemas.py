"""Write the JSON Schemas of what commands print again, after a change to one: `python -m kdsweep.cli.make_schemas`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kdsweep
from kdsweep.atomic import write_text
from kdsweep.cli.standing import Status
from kdsweep.report.summary import Report

FOLDER = Path(kdsweep.__file__).parent / "schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """By the name of the file, whose number is that of the format."""
    made = {}
    for model in (Report, Status):
        schema = model.model_json_schema()
        name = schema["properties"]["format"]["const"]
        made[f"{name.removeprefix('kdsweep.').replace('/', '-')}.json"] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": name,
            **schema,
        }
    return made


if __name__ == "__main__":
    for name, schema in schemas().items():
        write_text(FOLDER / name, json.dumps(schema, indent=2) + "\n")
