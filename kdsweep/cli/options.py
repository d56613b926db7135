"""Options that several commands share, and reading what they name."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from kdsweep.values.study import Study

StudyFile = Annotated[Path, typer.Argument(help="a study, as YAML", metavar="STUDY", show_default=False)]
Storage = Annotated[str | None, typer.Option(help="root of the results; default: the study's `storage`")]
Reports = Annotated[Path, typer.Option(help="folder of the rendered reports")]
PilotFile = Annotated[
    Path | None,
    typer.Option(
        "--pilot",
        help="a study that has run on such data: its variances say what this one can show",
        metavar="STUDY",
    ),
]
Local = Annotated[bool, typer.Option("--local", help="in this process, without Ray")]
Address = Annotated[str | None, typer.Option(help="of a Ray cluster; default: Ray on this machine")]
Takeover = Annotated[
    bool, typer.Option("--takeover", help="from another file of this name, or a launch that is dead on another machine")
]
AsJson = Annotated[bool, typer.Option("--json", help="print it as JSON: `kdsweep schema` has what it means")]
ExitCode = Annotated[
    bool,
    typer.Option("--exit-code", help="end with 0 holds, 1 incomplete, 3 does not hold, 4 undecided"),
]
Dataset = Annotated[str, typer.Argument(help="a folder, a shipped dataset, or package.module:callable", metavar="DATA")]
LoaderOption = Annotated[
    list[str] | None, typer.Option("--option", help="NAME=VALUE for a dataset's loader, such as root=")
]


def load(path: Path, storage: str | None = None) -> Study:
    """The study of a file, its results under another root where one is given.

    Raises:
        ValueError: the file has mistakes: all of them, with their lines.
    """
    from dataclasses import replace

    from kdsweep import study_file

    study = study_file.load(path)
    return replace(study, storage=storage) if storage else study


def console(*, aside: bool = False) -> Console:
    """Where a person reads.

    Args:
        aside: on the error stream, where the output is a machine's.
    """
    from rich.console import Console

    return Console(highlight=False, stderr=aside)


def where(data: str) -> str:
    """Which key of a study's `data` names this dataset: "path", "python" or "name"."""
    return "path" if Path(data).is_dir() else "python" if ":" in data else "name"


def pairs(flag: str, values: Iterable[str]) -> dict[str, str]:
    """The NAME=VALUE of an option that may be repeated.

    Raises:
        ValueError: one is no such pair, or a name comes twice.
    """
    by_name: dict[str, str] = {}
    for pair in values:
        name, equals, value = pair.partition("=")
        if not (name and equals and value) or name in by_name:
            raise ValueError(f"{flag} is NAME=VALUE, each name once, got {pair!r}")
        by_name[name] = value
    return by_name
