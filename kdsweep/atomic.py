"""Writing whole or not at all: whoever reads beside a writer, or after a kill, sees the last one or the new one."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write the file or folder that takes the place of `path` once the block has ended well.

    It lies beside `path`, hidden by a leading dot; only a kill leaves it there, as `.NAME.*`.

    Raises:
        OSError: it cannot be put in the place of what is there: a folder replaces nothing but an empty one.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """A text as UTF-8, in a folder that is there."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")
