"""Opening a store for a command: what is wrong with it is said in one line, before anything else is done."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from kdsweep.run.store import Results

RULE = "the storage has to be a folder that can be written to, or an address that pyarrow opens"


def store(root: str) -> Results:
    """The store under a root, which need not exist yet.

    Raises:
        ValueError: no store can be there: an address that nothing opens, a file where a folder has to be, no rights.
    """
    import pyarrow as pa

    try:
        if "://" not in root:
            _no_file_above(Path(root))
        results = Results(root)
        results.look()
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{RULE}, got {root}: {str(error).splitlines()[0]}") from error
    return results


@contextlib.contextmanager
def writing(root: str) -> Iterator[None]:
    """Around what writes into a store.

    Raises:
        ValueError: it could not.
    """
    try:
        yield
    except OSError as error:
        raise ValueError(f"{RULE}, got {root}: {error}") from error


def _no_file_above(path: Path) -> None:
    for part in (path, *path.parents):
        if part.exists():
            if not part.is_dir():
                raise NotADirectoryError(f"{part} is a file")
            return
