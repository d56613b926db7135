"""Write the tables of docs/networks.md from the networks themselves: `python docs/make_networks.py`."""

from __future__ import annotations

import re
from pathlib import Path

from kdsweep.networks import DEFAULT_ENCODER, ENCODERS, FUSIONS, Part

PAGE = Path(__file__).parent / "networks.md"
NOTE = "<!-- Written by docs/make_networks.py: change the network's file instead. -->"
TABLES = re.compile(f"{NOTE}.*?<!-- End. -->", re.DOTALL)


def page() -> str:
    encoders = [f"| `{name}` | {kinds(name, part)} | {row(part)} |" for name, part in ENCODERS.items()]
    fusions = [f"| `{name}`{' (default)' * (name == 'concat')} | {row(part)} |" for name, part in FUSIONS.items()]
    head = ["| encoder | reads | what it is | arguments |", "| --- | --- | --- | --- |"]
    fusion_head = ["| fusion | what it is | arguments |", "| --- | --- | --- |"]
    tables = "\n".join([NOTE, "", *head, *encoders, "", *fusion_head, *fusions, "", "<!-- End. -->"])
    return TABLES.sub(lambda _: tables, PAGE.read_text())


def kinds(name: str, part: Part) -> str:
    return ", ".join(f"{kind}{' (default)' * (DEFAULT_ENCODER[kind] == name)}" for kind in part.kinds)


def row(part: Part) -> str:
    return f"{part.summary} | {', '.join(f'`{name}: {value}`' for name, value in part.defaults.items())}"


if __name__ == "__main__":
    PAGE.write_text(page())
