"""The command line: one command for the main job, and small ones around it. Heavy imports wait inside commands."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from kdsweep.cli import data as data_cli

if TYPE_CHECKING:
    from rich.console import Console

    from kdsweep.values.study import Study

app = typer.Typer(
    name="kdsweep",
    help="Settles which cross-modal distillation objective works, which of its terms matter, and how sure we can be.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
export_app = typer.Typer(help="Write a part of a study for others to check.", no_args_is_help=True)
app.add_typer(data_cli.app, name="data")
app.add_typer(export_app, name="export")
StudyFile = Annotated[Path, typer.Argument(help="a study, as YAML", metavar="STUDY", show_default=False)]
Storage = Annotated[str | None, typer.Option(help="root of the results; default: the study's `storage`")]


class Ink(StrEnum):
    svg = "svg"
    pdf = "pdf"


Reports = Annotated[Path, typer.Option(help="folder of the rendered reports")]


def main() -> None:
    # A user's own modules lie where the command is run, as with `python -m`.
    if "" not in sys.path:
        sys.path.insert(0, "")
    app()


@app.command()
def launch(
    study: StudyFile,
    local: Annotated[bool, typer.Option("--local", help="in this process, without Ray")] = False,
    address: Annotated[str | None, typer.Option(help="of a Ray cluster; default: Ray on this machine")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would run and what it can show")] = False,
    storage: Storage = None,
    reports: Reports = Path("reports"),
) -> None:
    """Run a study to its end, and write its report. Launch again to resume, or after editing the file."""
    _launch(study, local=local, address=address, dry_run=dry_run, storage=storage, reports=reports)


@app.command()
def resume(
    study: StudyFile,
    local: Annotated[bool, typer.Option("--local", help="in this process, without Ray")] = False,
    address: Annotated[str | None, typer.Option(help="of a Ray cluster; default: Ray on this machine")] = None,
    storage: Storage = None,
    reports: Reports = Path("reports"),
) -> None:
    """The same as launch: what is finished is reused."""
    _launch(study, local=local, address=address, dry_run=False, storage=storage, reports=reports)


@app.command()
def status(
    study: StudyFile,
    watch: Annotated[bool, typer.Option("--watch", help="keep showing it until it is complete")] = False,
    storage: Storage = None,
) -> None:
    """Show how far a study is: stage, counts and best score by arm, and the time to go."""
    from kdsweep.cli import commands

    _exit(lambda: commands.status(_load(study, storage), _console(), watch=watch))


@app.command()
def report(
    studies: Annotated[
        list[Path] | None, typer.Argument(help="a study; several are compared", metavar="STUDY…", show_default=False)
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="write it anew until the study is complete")] = False,
    figures: Annotated[Ink | None, typer.Option(help="write each figure as a file, too")] = None,
    runs: Annotated[Path | None, typer.Option(help="runs made elsewhere: arm, seed, fold, metric, value")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="theirs: arm, seed, fold, sample, group, label, prediction")
    ] = None,
    metric: Annotated[str, typer.Option(help="of --runs: which is compared")] = "accuracy",
    claim: Annotated[str | None, typer.Option(help="of --runs: the arm that is to be better")] = None,
    against: Annotated[list[str] | None, typer.Option(help="than which; may be given several times")] = None,
    equivalent: Annotated[float | None, typer.Option(help="of --runs: ± this counts as the same")] = None,
    storage: Storage = None,
    reports: Reports = Path("reports"),
) -> None:
    """Write the report of what is there, finished or not: of a study, of several, or of runs made elsewhere."""
    files = studies or []
    if (runs is None) == (not files) or (predictions is not None and runs is None):
        _fail("report takes one study, several to compare, or --runs with --predictions")
    if watch and len(files) != 1:
        _fail("--watch follows one study")
    if figures is not None and (watch or len(files) != 1):
        _fail("--figures are those of one study")
    if runs is not None:
        from kdsweep.cli import elsewhere

        asked = elsewhere.Asked(runs, predictions, metric, claim, tuple(against or ()), equivalent)
        _exit(lambda: elsewhere.report(asked, _console(), reports))
    if len(files) > 1:
        from kdsweep.cli import several

        _exit(lambda: several.report([_load(file, storage) for file in files], _console(), reports))
    from kdsweep.cli import commands

    ink: Any = figures.value if figures else ""
    _exit(lambda: commands.report(_load(files[0], storage), _console(), reports, watch=watch, figures=ink))


@app.command()
def validate(study: StudyFile) -> None:
    """Check a study file without reading its data."""
    found = _load(study, None)
    for warning in found.warnings:
        typer.echo(f"note: {warning}")
    searched = sorted({name for arm in found.arms.values() for name in arm.space})
    typer.echo(f"{study}: {found.name} is valid: {len(found.arms)} arms on {', '.join(found.student)}")
    typer.echo(f"searched: {', '.join(searched) or 'nothing'}")


@app.command()
def init(
    data: Annotated[
        str, typer.Argument(help="a folder, a shipped dataset, or package.module:callable", metavar="DATA")
    ],
    student: Annotated[list[str], typer.Option(help="a modality seen at deployment; may be given several times")],
    out: Annotated[Path | None, typer.Option(help="file to write; default: print it")] = None,
) -> None:
    """Write a commented, valid study for a dataset."""
    from kdsweep import study_file
    from kdsweep.data import registry as source
    from kdsweep.values.study import Data

    try:
        place = "path" if Path(data).is_dir() else "python" if ":" in data else "name"
        asked = Data.model_validate({place: data, "student": student})
        text = study_file.template(data, source.card(asked), student=tuple(student))
    except ValueError as error:
        _fail(str(error))
    if out is None:
        typer.echo(text, nl=False)
    elif out.exists():
        _fail(f"{out} exists: name another file, or remove it")
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text)
        typer.echo(f"wrote {out}; now: python -m kdsweep launch {out}")


class Listed(StrEnum):
    methods = "methods"
    terms = "terms"
    datasets = "datasets"
    networks = "networks"


@app.command("list")
def list_(what: Annotated[Listed, typer.Argument()]) -> None:
    """List what is shipped, a line each."""
    from kdsweep.cli import commands

    commands.list_(what.value, _console())


@app.command()
def schema() -> None:
    """Print the JSON Schema of study files, for editors."""
    from kdsweep import study_file

    typer.echo(json.dumps(study_file.schema(), indent=2))


@export_app.command("row")
def export_row(
    study: StudyFile,
    row: Annotated[str, typer.Argument(help="an arm, or a row or control of the ablation", metavar="ROW")],
    out: Annotated[Path | None, typer.Option(help="archive to write; default: STUDY-ROW.zip")] = None,
    storage: Storage = None,
) -> None:
    """Pack a row's trials, models' settings, versions and expected values into one file."""
    from kdsweep.cli import sharing

    _exit(lambda: sharing.export_row(_load(study, storage), _console(), row=row, out=out))


@app.command()
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
) -> None:
    """Train one trial, or an archived row, again and compare: bit-identical, or where it parts."""
    if (trial is None) == (row is None):
        _fail("replay takes a TRIAL, or --row and an archive of `export row`")
    allowed = allow_code or []
    if row is not None:
        from kdsweep.cli import sharing

        _exit(lambda: sharing.replay_row(row, _console(), seeds=seeds, data=data, allow_code=allowed))
    from kdsweep.cli import commands

    _exit(lambda: commands.replay(str(trial), storage, _console(), allow_code=allowed))


def _launch(path: Path, **options: Any) -> None:
    found = _load(path, options.pop("storage"))
    from kdsweep.cli import commands

    sys.exit(commands.launch(found, _console(), **options))


def _exit(run: Callable[[], int]) -> NoReturn:
    """End with what a command answers; a mistake of the user's is one line and 2."""
    try:
        code = run()
    except ValueError as error:
        _fail(str(error))
    sys.exit(code)


def _load(path: Path, storage: str | None) -> Study:
    from dataclasses import replace

    from kdsweep import study_file

    try:
        found = study_file.load(path)
    except study_file.StudyError as error:
        _fail(str(error))
    return replace(found, storage=storage) if storage else found


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)
