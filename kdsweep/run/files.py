"""Files under one root, a folder or any address that pyarrow opens: listed, read, and written whole or not at all."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from filelock import FileLock
from pyarrow import fs

from kdsweep.atomic import replacing


class Damaged(OSError, ValueError):
    """A file that is there and cannot be read."""


class Files:
    """Names are relative to the root, with slashes.

    Attributes:
        root: as it was given; of a folder, its absolute path.
        is_folder: whether it is one of this machine, or of a disk that it shares.
    """

    def __init__(self, root: str | Path) -> None:
        if "://" in str(root):
            self.root = str(root)
            self._fs, self._base = fs.FileSystem.from_uri(self.root)
        else:
            # Absolute from the start: a worker opens the same root from another working directory.
            self.root = self._base = str(Path(root).resolve())
            self._fs = fs.LocalFileSystem()
        self.is_folder = isinstance(self._fs, fs.LocalFileSystem)

    def names(self, folder: str, *, deep: bool = False) -> list[str]:
        """What lies in a folder, sorted; nothing where there is none. Half-written files are not shown."""
        return [name for name in self._all(folder, deep) if not _half_written(name)]

    def half_written(self, folder: str) -> list[str]:
        """What kills have left behind in a folder and under it, and what is being written now."""
        return [name for name in self._all(folder, deep=True) if _half_written(name)]

    def older_than(self, seconds: float, names: Iterable[str]) -> list[str]:
        """Those files that nobody has touched for so long."""
        paths = [self._path(name) for name in names]
        now = datetime.now(UTC)
        infos = self._fs.get_file_info(paths) if paths else []
        return [
            self._name(info.path)
            for info in infos
            if info.type == fs.FileType.File and (now - info.mtime).total_seconds() >= seconds
        ]

    def exists(self, name: str) -> bool:
        there: bool = self._fs.get_file_info(self._path(name)).type == fs.FileType.File
        return there

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[Any]:
        """The open file; what goes wrong while its content is read is said of the file.

        Raises:
            FileNotFoundError: there is none.
            Damaged: its content is not what it has to be.
        """
        try:
            with self._fs.open_input_file(self._path(name)) as file:
                yield file
        except FileNotFoundError:
            raise
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            # An error of the system's has a number, one of a parser's has none.
            if isinstance(error, Damaged) or (isinstance(error, OSError) and error.errno):
                raise
            why = (str(error).splitlines() or [""])[0]
            raise Damaged(
                f"{self.root}/{name} cannot be read, it seems damaged: {why}. Remove it: what it held is made again"
            ) from error

    def read(self, name: str) -> bytes:
        with self.reading(name) as file:
            data: bytes = file.read()
        return data

    def write(self, name: str, write: Callable[[Any], object]) -> None:
        """Write a file whole. `write` is given the open file."""
        path = self._path(name)
        if not self.is_folder:
            # An object store shows an object when its upload is complete: one PUT is whole.
            buffer = io.BytesIO()
            write(buffer)
            with self._fs.open_output_stream(path) as file:
                file.write(buffer.getvalue())
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with replacing(Path(path)) as partial, self._fs.open_output_stream(str(partial)) as file:
            write(file)

    def write_bytes(self, name: str, data: bytes) -> None:
        self.write(name, lambda file: file.write(data))

    def move(self, name: str, to: str) -> None:
        """At once on a folder; on an object store it is a copy, and then a removal.

        Raises:
            FileNotFoundError: it is not there, or no longer.
        """
        if self.is_folder:
            Path(self._path(to)).parent.mkdir(parents=True, exist_ok=True)
        try:
            self._fs.move(self._path(name), self._path(to))
        except OSError as error:
            if self.exists(name):
                raise
            raise FileNotFoundError(f"no {name} under {self.root}") from error

    def delete(self, name: str) -> None:
        """It may be gone already."""
        try:
            self._fs.delete_file(self._path(name))
        except OSError:
            if self.exists(name):
                raise

    @contextlib.contextmanager
    def alone(self, name: str) -> Iterator[None]:
        """One process at a time, where the root is a folder; an object store has no locks."""
        if not self.is_folder:
            yield
            return
        path = Path(self._path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            yield

    def look(self) -> None:
        """Whether this root can be listed at all; one that does not exist yet is empty.

        Raises:
            OSError: it is a file, is out of reach, or may not be read.
        """
        if self._fs.get_file_info(self._base).type == fs.FileType.File:
            raise NotADirectoryError(f"{self._base} is a file")
        self.names("")

    def _all(self, folder: str, deep: bool) -> list[str]:
        selector = fs.FileSelector(self._path(folder).rstrip("/"), allow_not_found=True, recursive=deep)
        try:
            infos = self._fs.get_file_info(selector)
        except FileNotFoundError:
            # It went while it was listed: another process has removed what it wrote.
            infos = self._fs.get_file_info(selector)
        return sorted(self._name(info.path) for info in infos if info.type == fs.FileType.File)

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _name(self, path: str) -> str:
        return path.removeprefix(f"{self._base}/")


def _half_written(name: str) -> bool:
    return name.rpartition("/")[2].startswith(".")
