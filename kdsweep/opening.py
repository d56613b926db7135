"""Opening a store for a command: what is wrong with it is said in one line, before anything else is done."""

from __future__ import annotations

from pathlib import Path

from kdsweep.results import Results


def store(root: str) -> Results:
    """The store under a root, which need not exist yet.

    Raises:
        ValueError: no store can be there: an address that nothing opens, a file where a folder has to be, no rights.
    """
    import pyarrow as pa

    rule = "the storage has to be a folder that can be written to, or an address that pyarrow opens"
    try:
        if "://" not in root:
            _no_file_above(Path(root))
        results = Results(root)
        results.look()
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{rule}, got {root}: {str(error).splitlines()[0]}") from error
    return results


def _no_file_above(path: Path) -> None:
    for part in (path, *path.parents):
        if part.exists():
            if not part.is_dir():
                raise NotADirectoryError(f"{part} is a file")
            return
