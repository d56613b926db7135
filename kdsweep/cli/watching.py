"""What `report --watch` does: the page grows with the study."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console

from kdsweep.run.store import Results
from kdsweep.values.study import Study

LEAST = 15.0  # seconds between two reports
SHARE = 2  # and so many times what writing one takes: a sweep on the same cores goes on meanwhile


def follow(
    study: Study,
    results: Results,
    console: Console,
    write: Callable[[], None],
    *,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Call `write` now, and again whenever there is more, until the study is complete. Returns the exit code.

    Args:
        wait: for so many seconds.
    """
    seen: Any = None
    while True:
        state = results.read_json(study.name, "state") or {}
        now = (state.get("finished_here"), state.get("began"), state.get("complete"))
        took = 0.0
        if now != seen:
            started = time.monotonic()
            write()
            seen, took = now, time.monotonic() - started
            if not state.get("complete"):
                console.print(
                    "unfinished: written again as it goes on. Ctrl-C ends this, not the study", soft_wrap=True
                )
        if state.get("complete"):
            return 0
        wait(max(LEAST, SHARE * took))
