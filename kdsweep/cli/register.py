"""`kdsweep register`: a study's claim before its test results are seen, in the ledger and as a text to publish."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdsweep.cli.options import Storage, StudyFile, console, load

if TYPE_CHECKING:
    from kdsweep.report.facts.ledger import Entry
    from kdsweep.values.study import Study


def register(
    study: StudyFile,
    out: Annotated[Path | None, typer.Option(help="text to publish; default: STUDY-registration.txt")] = None,
    storage: Storage = None,
) -> None:
    """Register a study's claim before its test results are seen; its report says whether it was."""
    from rich.markup import escape

    from kdsweep.atomic import write_text
    from kdsweep.report.facts import ledger
    from kdsweep.report.facts.shown import date
    from kdsweep.run.journal import check_owner
    from kdsweep.run.launch import with_facts
    from kdsweep.run.store import open_store, safe_name

    read, screen = load(study, storage), console()
    if read.claim is None:
        raise ValueError(f"{study}: what is registered is a claim, `report: {{claim: ...}}`, and it states none")
    results = open_store(read.storage)
    check_owner(read, results)
    read = with_facts(read)
    new = ledger.registration(read)
    out = out or Path(f"{safe_name(read.name)}-registration.txt")
    try:
        results.add_to_ledger(new.name, ledger.to_json(new))
    except OSError as error:
        raise ValueError(
            f"the storage has to be a folder that can be written to, got {read.storage}: {error}"
        ) from error
    # One that was registered already keeps its time.
    entry = ledger.from_json(results.ledger()[new.name])
    lines = map(ledger.from_json, results.ledger().values())
    known = ledger.history(lines, None, rows=entry.rows, data=entry.data)
    seen = [shown for shown in known.showings if shown.when < entry.when]
    text = _text(read, entry, shown_before=len(seen))
    write_text(out, text)
    screen.print(escape(text), soft_wrap=True)
    if seen:
        late = (
            f"note: results on these test rows were shown before, first on {date(seen[0].when)}: this comes after them"
        )
        screen.print(late, style="yellow", soft_wrap=True)
    screen.print(f"wrote {escape(str(out))}: publish it where its date can be checked", soft_wrap=True)


def _text(study: Study, entry: Entry, *, shown_before: int) -> str:
    from kdsweep.report.facts.shown import claim_in_words

    assert study.facts is not None
    tested = sum(fold.counts["test"] for fold in study.facts.folds)
    seen = f"{shown_before} times" if shown_before else "never in these results"
    lines = {
        "claim": claim_in_words(entry.stated),
        "epoch that counts": entry.stated.select,
        "seeds": study.confirm.seeds * study.search.repeats,
        "study": entry.study,
        "study file": entry.source,
        "test rows": f"{entry.rows} ({tested} samples)",
        "dataset": entry.data,
        "digest of the claim": entry.stated.digest,
        "registered": entry.when,
        "test results shown before": seen,
    }
    return "kdsweep registration 1\n" + "".join(f"{name}: {value}\n" for name, value in lines.items())
