"""`kdsweep report`: the page of what is there, of a study, of several, or of runs made elsewhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from kdsweep.cli.errors import ANSWERS, DONE
from kdsweep.cli.options import AsJson, ExitCode, Reports, Storage, console, load

if TYPE_CHECKING:
    from rich.console import Console

    from kdsweep.report import Headline
    from kdsweep.report.facts.runs import Runs
    from kdsweep.run.store import Results
    from kdsweep.values.study import Claim, Study

LEAST = 15.0  # seconds between two reports of a study that is watched
NOTHING = object()  # not even that there is no launch
SHARE = 2  # and so many times what writing one takes: a sweep on the same cores goes on meanwhile


class Venue(StrEnum):
    neurips = "neurips"


class Ink(StrEnum):
    svg = "svg"
    pdf = "pdf"


def report(
    studies: Annotated[
        list[Path] | None, typer.Argument(help="a study; several are compared", metavar="STUDY…", show_default=False)
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="write it anew until the study is complete")] = False,
    figures: Annotated[Ink | None, typer.Option(help="write each figure as a file, too")] = None,
    checklist: Annotated[Venue | None, typer.Option(help="write a paper's checklist, too")] = None,
    runs: Annotated[Path | None, typer.Option(help="runs made elsewhere: arm, seed, fold, metric, value")] = None,
    predictions: Annotated[
        Path | None, typer.Option(help="theirs: arm, seed, fold, sample, group, label, prediction")
    ] = None,
    metric: Annotated[str, typer.Option(help="of --runs: which is compared")] = "accuracy",
    claim: Annotated[str | None, typer.Option(help="of --runs, or over studies: the arm that is to be better")] = None,
    against: Annotated[list[str] | None, typer.Option(help="than which; may be given several times")] = None,
    equivalent: Annotated[float | None, typer.Option(help="of --runs: ± this counts as the same")] = None,
    as_json: AsJson = False,
    exit_code: ExitCode = False,
    storage: Storage = None,
    reports: Reports = Path("reports"),
) -> int:
    """Write the report of what is there, finished or not: of a study, of several, or of runs made elsewhere."""
    files = studies or []
    if (runs is None) == (not files) or (predictions is not None and runs is None):
        raise ValueError("report takes one study, several to compare, or --runs with --predictions")
    if watch and (len(files) != 1 or as_json):
        raise ValueError("--watch follows one study, for people")
    if figures is not None and (watch or len(files) != 1):
        raise ValueError("--figures are those of one study")
    if checklist is not None and (watch or len(files) != 1):
        raise ValueError("--checklist is about one study")
    if len(files) == 1 and (claim or against):
        raise ValueError("--claim is of --runs or of several studies: a study's own is in its file")
    screen = console(aside=as_json)
    if runs is not None:
        written = _imported(
            runs,
            predictions,
            screen,
            reports,
            metric=metric,
            claim=claim,
            against=against or (),
            equivalent=equivalent,
        )
    elif len(files) > 1:
        over = _claim(claim, against or ())
        written = _compared([load(file, storage) for file in files], screen, reports, claim=over)
    else:
        ink: Any = figures.value if figures else ""
        written = _one(load(files[0], storage), screen, reports, watch=watch, figures=ink)
    if checklist is not None:
        _write_checklist(written, screen)
    if not (as_json or exit_code):
        return DONE
    from kdsweep.report.summary import summary

    said = summary(written.runs, written.headline, counted=written.counted)
    if as_json:
        typer.echo(said.model_dump_json(indent=2))
    return ANSWERS[said.answer] if exit_code else DONE


class Written(NamedTuple):
    """A report that was written.

    Attributes:
        counted: whether the ledger knows that it was shown.
    """

    runs: Runs
    headline: Headline
    counted: bool = True


def _one(study: Study, console: Console, reports: Path, *, watch: bool, figures: Literal["", "svg", "pdf"]) -> Written:
    """Write the report of what is there; with `watch`, again whenever there is more, until the study is complete.

    Args:
        figures: writes each figure as a file, too.

    Raises:
        ValueError: the storage cannot be used, or figures were asked for and what draws them is not installed.
    """
    from kdsweep.run.launch import with_facts
    from kdsweep.run.store import open_store

    results, study = open_store(study.storage), with_facts(study)

    def write() -> Written:
        return write_report(study, results, console, reports, figures=figures, refresh=watch)

    return follow(study, results, console, write) if watch else write()


def write_report(
    study: Study,
    results: Results,
    console: Console,
    reports: Path,
    *,
    figures: Literal["", "svg", "pdf"] = "",
    refresh: bool = False,
) -> Written:
    """Write the page of what the store holds of a study, and print what it says.

    Args:
        figures: writes each figure as a file, too.
        refresh: the page loads itself anew while it is open.
    """
    from rich.markup import escape

    from kdsweep.protocol import forecast
    from kdsweep.report import build
    from kdsweep.report.facts.collect import collect
    from kdsweep.run.journal import standing
    from kdsweep.run.store import safe_name

    now = standing(study, results)
    stages = {} if now.complete else Counter(role.stage for role in forecast.whole(study).roles)
    runs = collect(study, results, now, expected=stages, refresh=refresh)
    headline = build(runs, reports / safe_name(study.name), figures=figures)
    console.print(f"\n{escape(headline.text)}", soft_wrap=True)
    console.print(f"report: {escape(str(headline.path))}", soft_wrap=True)
    return Written(runs, headline, count(results, runs, console))


def _write_checklist(written: Written, console: Console) -> None:
    from rich.markup import escape

    from kdsweep.atomic import write_text
    from kdsweep.report.render.checklist import neurips

    path = written.headline.path.with_name("checklist.md")
    write_text(path, neurips(written.runs))
    console.print(f"checklist: {escape(str(path))}", soft_wrap=True)


def count(results: Results, runs: Runs, console: Console) -> bool:
    """Write into the ledger what was shown. Who may only read a store may look at it, and is told: then it is False."""
    from rich.markup import escape

    from kdsweep.report.facts.shown import record

    try:
        record(results, runs)
    except OSError as error:
        why = (str(error).splitlines() or [""])[0]
        note = f"note: this look is not counted, the storage cannot be written to: {escape(why)}"
        console.print(note, style="yellow", soft_wrap=True)
        return False
    return True


def follow(
    study: Study,
    results: Results,
    console: Console,
    write: Callable[[], Written],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> Written:
    """Call `write` now, and again whenever there is more, until the study is complete. Returns the last report.

    Args:
        wait: for so many seconds.
    """
    from kdsweep.run.journal import read_state

    seen: Any = NOTHING
    while True:
        state = read_state(study.name, results)
        now = None if state is None else (state.launch, state.began, state.finished_here, state.complete)
        took = 0.0
        if seen is NOTHING or now != seen:
            started = time.monotonic()
            written = write()
            if written.runs.study.complete:
                return written
            seen, took = now, time.monotonic() - started
            console.print("unfinished: written again as it goes on. Ctrl-C ends this, not the study", soft_wrap=True)
        wait(max(LEAST, SHARE * took))


def _claim(arm: str | None, against: Sequence[str]) -> Claim | None:
    """A claim over studies.

    Raises:
        ValueError: it names an arm without a baseline, or a baseline without an arm.
    """
    from kdsweep.values.study import Claim

    if bool(arm) != bool(against):
        raise ValueError("a claim names an arm and what it is better than: --claim ARM --against ARM")
    return Claim(arm, tuple(dict.fromkeys(against))) if arm else None


def _compared(studies: Sequence[Study], console: Console, reports: Path, *, claim: Claim | None) -> Written:
    """Compare what is there of each; runs nothing, and writes nothing into their stores but that they were looked at.

    Raises:
        ValueError: a storage cannot be used, a study was not launched, or no two of them are comparable.
    """
    from rich.markup import escape

    from kdsweep.report import build
    from kdsweep.report.facts import compared_studies
    from kdsweep.report.facts.collect import collect
    from kdsweep.run.journal import check_owner, recorded
    from kdsweep.run.launch import with_facts
    from kdsweep.run.store import open_store, safe_name

    collected, stores = [], []
    for study in studies:
        results = open_store(study.storage)
        check_owner(study, results)
        last = recorded(study.name, results)
        if last is None:
            raise ValueError(f"{study.name} was not launched yet under {study.storage}")
        stores.append(results)
        collected.append(collect(with_facts(study), results, last))
    found = compared_studies.sort(collected, claim)
    for one in found.refused:
        console.print(f"not compared: {escape(one.b)} with {escape(one.a)}: {escape(one.why)}", soft_wrap=True)
    runs = compared_studies.page(found)
    datasets = f"{len(found.groups)} dataset{'s' if len(found.groups) > 1 else ''}"
    written = build(runs, reports / safe_name("-".join(study.name for study in studies)))
    console.print(f"\n{escape(written.text)}, on {datasets}", soft_wrap=True)
    console.print(f"report: {escape(str(written.path))}", soft_wrap=True)
    counted = [count(results, shown, console) for results, shown in zip(stores, collected, strict=True)]
    return Written(runs, written, all(counted))


def _imported(
    runs: Path,
    predictions: Path | None,
    console: Console,
    reports: Path,
    *,
    metric: str,
    claim: str | None,
    against: Sequence[str],
    equivalent: float | None,
) -> Written:
    """Write the report of runs that kdsweep did not make: `report.facts.imported.read` says what the tables are.

    Raises:
        ValueError: the tables are not what they have to be.
    """
    from rich.markup import escape

    from kdsweep.report import build
    from kdsweep.report.facts import imported
    from kdsweep.run.store import safe_name

    read = imported.read(runs, predictions, metric=metric, claim=claim, against=tuple(against), equivalent=equivalent)
    written = build(read, reports / safe_name(read.study.name))
    console.print(f"\n{escape(written.text)}", soft_wrap=True)
    console.print("budget, selection and number of looks: not verified", soft_wrap=True)
    console.print(f"report: {escape(str(written.path))}", soft_wrap=True)
    return Written(read, written)
