"""How a command ends: its exit codes, and a mistake of the user's as one line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import typer

# Everything asked for is there; something is missing or different; the user's mistake; ended by Ctrl-C or a scheduler.
DONE, INCOMPLETE, MISTAKE, INTERRUPTED = 0, 1, 2, 130
# A mistake of ours, with its traceback: Python's own code for it would be that of what is incomplete.
OURS = 70
# What a report says of its claim, where its code is asked for.
ANSWERS = {"holds": DONE, "incomplete": INCOMPLETE, "does not hold": 3, "undecided": 4}


def ending(command: Callable[..., int | None]) -> Callable[..., None]:
    """A command that ends the process with the code it returns (None is `DONE`).

    A ValueError is a mistake of the user's, and a ConnectionError one of an address: one line on the error stream, and
    no traceback. Anything else is ours, and keeps its own.
    """

    @functools.wraps(command)
    def run(**options: Any) -> None:
        try:
            code = command(**options)
        except (ValueError, ConnectionError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(MISTAKE) from error
        raise typer.Exit(code or DONE)

    return run
