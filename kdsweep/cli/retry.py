"""`kdsweep retry`: have failed trials trained again."""

from __future__ import annotations

from typing import Annotated

import typer

from kdsweep.cli.options import Storage, StudyFile, console, load


def retry(
    study: StudyFile,
    failed: Annotated[bool, typer.Option("--failed", help="trials that failed, but for those that diverged")] = False,
    storage: Storage = None,
) -> None:
    """Forget a study's failed results, so that the next launch trains them again."""
    from rich.markup import escape

    from kdsweep.run.retry import forget_failed
    from kdsweep.run.store import open_store

    if not failed:
        raise ValueError("retry takes --failed: nothing else is tried again")
    retried = load(study, storage)
    count = forget_failed(retried, open_store(retried.storage))
    again = f"; to train them: python -m kdsweep launch {escape(retried.path)}" if count else ""
    console().print(f"{count} failed trials of {escape(retried.name)} forgotten{again}", soft_wrap=True)
