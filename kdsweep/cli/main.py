"""The command line: one command for the main job, and small ones around it. Heavy imports wait inside commands."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Mapping

import typer

from kdsweep.cli import export, init, launch, list_, register, replay, report, retry, schema, status, validate
from kdsweep.cli.data import describe, import_, split
from kdsweep.cli.errors import OURS, ending
from kdsweep.run.machine import equal_products

Commands = Mapping[str, Callable[..., int | None]]

COMMANDS: Commands = {
    "launch": launch.launch,
    "resume": launch.resume,
    "status": status.status,
    "retry": retry.retry,
    "report": report.report,
    "register": register.register,
    "validate": validate.validate,
    "init": init.init,
    "list": list_.list_,
    "schema": schema.schema,
    "replay": replay.replay,
}
DATA: Commands = {"import": import_.import_, "describe": describe.describe, "split": split.split}
EXPORT: Commands = {"row": export.row}

app = typer.Typer(
    name="kdsweep",
    help="Settles which cross-modal distillation objective works, which of its terms matter, and how sure we can be.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Bring data of your own, look at them, and give them a split.", no_args_is_help=True)
export_app = typer.Typer(help="Write a part of a study for others to check.", no_args_is_help=True)
for group, commands in ((app, COMMANDS), (data_app, DATA), (export_app, EXPORT)):
    for name, command in commands.items():
        group.command(name)(ending(command))
app.add_typer(data_app, name="data")
app.add_typer(export_app, name="export")


def main() -> None:
    # A user's own modules lie where the command is run, as with `python -m`.
    if "" not in sys.path:
        sys.path.insert(0, "")
    # Before anything here, or a worker that is started from here, multiplies.
    equal_products()
    try:
        app()
    except Exception:
        traceback.print_exc()
        sys.exit(OURS)
