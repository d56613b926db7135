"""What the commands around an archived row do: write one for others to check, and check one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from kdsweep.run import opening
from kdsweep.run.store import safe_name
from kdsweep.values.study import Study


def export_row(study: Study, console: Console, *, row: str, out: Path | None) -> int:
    """Write a row's archive. Returns the exit code."""
    from kdsweep.run import archive

    out = out or Path(f"{safe_name(study.name)}-{safe_name(row)}.zip")
    if out.exists():
        raise ValueError(f"{out} exists: name another file, or remove it")
    count = archive.export(study, opening.store(study.storage), row, out)
    size = out.stat().st_size / 1000
    console.print(f"wrote {escape(str(out))}: {count} trials, {size:.0f} kB", soft_wrap=True)
    console.print(f"to check it anywhere: python -m kdsweep replay --row {escape(str(out))}", soft_wrap=True)
    return 0


def replay_row(path: Path, console: Console, *, seeds: int, data: Path | None, allow_code: Sequence[str]) -> int:
    """Train an archived row again, its models too. Returns 0 where every number is the same, 1 where one parts."""
    from kdsweep.run import archive

    described = archive.describe(path)
    _find_data(described, data)
    runs = described["runs"][:seeds]
    console.print(
        f"row {escape(str(described['row']))} of {escape(str(described['study']))}: {len(runs)} of "
        f"{len(described['runs'])} runs, and the models that they read",
        soft_wrap=True,
    )
    identical = total = 0
    for answer in archive.replay(path, seeds=seeds, data=data, allow_code=allow_code):
        console.print(escape(answer.text), soft_wrap=True)
        identical, total = identical + answer.identical, total + 1
    verdict = "bit-identical" if identical == total else "different"
    console.print(f"{verdict}: {identical} of {total} trials came to the same numbers")
    return 0 if identical == total else 1


def _find_data(described: Mapping[str, Any], data: Path | None) -> None:
    """A row's folder of data is where it was or where --data says: asked before anything is trained.

    Raises:
        ValueError: there is no such folder.
    """
    then = described["data"].get("path")
    if then is not None and data is None and not Path(then).is_dir():
        gone = f"the row's data are not where they were, there is no folder {Path(then).absolute()}"
        raise ValueError(f"{gone}: say with --data where they are now")
