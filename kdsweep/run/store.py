"""The store of trials' results, by hash; shared by all studies under one root. What lies here is the only truth.

trials/<id>.parquet            one finished trial: its curves; the file's appearance is the commit
trials/pack-<digest>.parquet   many finished trials in one file, a row group each
staging/<id>.parquet           written by a worker, not yet committed
models/<id>/<role>.safetensors      predictions/<id>.parquet
arithmetic/<structure>.json    whether a structure's trials train stacked, settled before the first of them
heard/<model>/<digest>.safetensors   what a frozen model says of a part of the data; compiled/: code; both are only kept
proposals/<key>/<generation>.json   what a search asks for, stored before it runs
studies/<name>/index.parquet   every role of every trial that the study ever asked for
studies/<name>/looks.parquet   how many seeds each report showed
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import fs

from kdsweep.atomic import replacing
from kdsweep.values.result import Proposal, Result
from kdsweep.values.trial import digest

if TYPE_CHECKING:
    import pandas as pd

KEY = b"kdsweep"
# Loose files beyond this many are put together when a launch ends.
LOOSE = 256
SCHEMA = pa.schema(
    [
        ("trial", pa.dictionary(pa.int32(), pa.string())),
        ("state", pa.dictionary(pa.int32(), pa.string())),
        ("epoch", pa.int32()),
        ("metric", pa.dictionary(pa.int32(), pa.string())),
        ("value", pa.float64()),
        ("seconds", pa.float64()),
    ]
)


class Results:
    """The store under one root: a folder, or any URI that pyarrow opens."""

    def __init__(self, root: str | Path) -> None:
        if "://" in str(root):
            self.root = str(root)
            self._fs, self._base = fs.FileSystem.from_uri(self.root)
        else:
            # Absolute from the start: a worker opens the same root from another working directory.
            self.root = self._base = str(Path(root).resolve())
            self._fs = fs.LocalFileSystem()

    # --- trials

    def known(self) -> dict[str, Result]:
        """Every finished trial, by id."""
        return {id_: _result(meta) for id_, meta in self.metadata().items()}

    def metadata(self) -> dict[str, dict[str, Any]]:
        """Every finished trial's description: trial, state, provenance, numbers, papers, validation curves."""
        found: dict[str, dict[str, Any]] = {}
        for path in self._trial_files():
            with self._fs.open_input_file(path) as file:
                found |= json.loads(pq.read_schema(file).metadata[KEY])
        return found

    def stage(self, id_: str, points: Iterable[tuple[int, str, float, float]], meta: Mapping[str, Any]) -> None:
        """Write a trial's rows where `commit` will find them. `points`: (epoch, metric, value, seconds)."""
        rows = list(points)
        table = pa.table(
            [
                pa.array([id_] * len(rows), pa.string()).dictionary_encode(),
                pa.array([meta["state"]] * len(rows), pa.string()).dictionary_encode(),
                pa.array([row[0] for row in rows], pa.int32()),
                pa.array([row[1] for row in rows], pa.string()).dictionary_encode(),
                pa.array([row[2] for row in rows], pa.float64()),
                pa.array([row[3] for row in rows], pa.float64()),
            ],
            schema=SCHEMA.with_metadata({KEY: json.dumps({id_: meta})}),
        )
        self._write_table(f"staging/{id_}.parquet", table)

    def is_staged(self, id_: str) -> bool:
        """Whether a worker has left this trial whole, waiting for its commit."""
        found: bool = self._fs.get_file_info(self._path(f"staging/{id_}.parquet")).type == fs.FileType.File
        return found

    def commit(self, id_: str) -> Result:
        """Make a staged trial a result, at once and whole.

        Raises:
            FileNotFoundError: nothing was staged under this id.
        """
        staged, committed = self._path(f"staging/{id_}.parquet"), self._path(f"trials/{id_}.parquet")
        self._fs.create_dir(self._path("trials"))
        try:
            self._fs.move(staged, committed)
        except FileNotFoundError:
            # Another launch on this store trained the same trial, and its driver came first: the rows are the same.
            if self._fs.get_file_info(committed).type != fs.FileType.File:
                raise
        with self._fs.open_input_file(committed) as file:
            return _result(json.loads(pq.read_schema(file).metadata[KEY])[id_])

    def sweep_strays(self, known: Mapping[str, object], *, older_than: float = 3600.0) -> int:
        """Remove what a killed run left behind: staged rows, and models and predictions of trials without a result.

        Args:
            older_than: seconds. A worker of another launch writes weights moments before its commit: leave it alone.
        """
        strays = list(self._list("staging"))
        strays += [path for path in self._list("predictions") if Path(path).stem not in known]
        strays += [path for path in self._list("models", recursive=True) if Path(path).parent.name not in known]
        strays += list(self._list("", recursive=True, half_written=True))
        infos = self._fs.get_file_info(strays) if strays else []
        now = datetime.now(UTC)
        old = [
            info.path
            for info in infos
            if info.type == fs.FileType.File and (now - info.mtime).total_seconds() >= older_than
        ]
        for path in old:
            self._fs.delete_file(path)
        return len(old)

    def compact(self, *, more_than: int = LOOSE) -> None:
        """Put loose trial files together, a row group each, so that ten thousand trials stay readable.

        A kill in between leaves trials in both forms; they are the same rows, and are read once.
        """
        loose = [path for path in self._trial_files() if not Path(path).name.startswith("pack-")]
        if len(loose) <= more_than:
            return
        tables = [self._read_table(path) for path in loose]
        meta: dict[str, Any] = {}
        for table in tables:
            meta |= json.loads(table.schema.metadata[KEY])
        name = f"trials/pack-{digest(sorted(meta))}.parquet"
        schema = SCHEMA.with_metadata({KEY: json.dumps(meta)})

        def write(file: Any) -> None:
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                for table in tables:
                    writer.write_table(table.replace_schema_metadata(schema.metadata))

        self._write(name, write)
        for path in loose:
            self._fs.delete_file(path)

    def curves(self, ids: Iterable[str], metrics: Sequence[str] | None = None) -> pd.DataFrame:
        """Rows (trial, epoch, metric, value, seconds) of these trials, of these metrics or of all."""
        wanted, pieces, seen = set(ids), [SCHEMA.empty_table()], set[str]()
        for path in self._trial_files():
            with self._fs.open_input_file(path) as file:
                parquet = pq.ParquetFile(file)
                here = set(json.loads(parquet.schema_arrow.metadata[KEY]))
                new = here & wanted - seen
                if not new:
                    continue
                table = parquet.read().replace_schema_metadata(None).cast(SCHEMA)
            if new != here:
                table = table.filter(pc.is_in(table["trial"].cast(pa.string()), pa.array(sorted(new))))
            if metrics is not None:
                table = table.filter(pc.is_in(table["metric"].cast(pa.string()), pa.array(list(metrics), pa.string())))
            seen |= new
            pieces.append(table)
        # Words stay numbers with a dictionary throughout: ten thousand trials are millions of rows.
        frame: pd.DataFrame = pa.concat_tables(pieces).unify_dictionaries().to_pandas()
        for name in ("trial", "metric", "state"):
            words = frame[name].cat.remove_unused_categories()
            frame[name] = words.cat.reorder_categories(sorted(words.cat.categories))
        return frame

    # --- weights and predictions

    def write_model(self, id_: str, role: str, data: bytes) -> None:
        """Weights of one role, as safetensors bytes."""
        self._write(f"models/{id_}/{safe_name(role)}.safetensors", lambda file: file.write(data))

    def read_model(self, id_: str, role: str) -> bytes:
        with self._fs.open_input_file(self._path(f"models/{id_}/{safe_name(role)}.safetensors")) as file:
            data: bytes = file.read()
        return data

    def write_heard(self, name: str, data: bytes) -> None:
        """What a frozen model says of a part of the data, `<model>/<digest>`, as safetensors bytes."""
        self._write(f"heard/{name}.safetensors", lambda file: file.write(data))

    def write_predictions(self, id_: str, table: pa.Table) -> None:
        self._write_table(f"predictions/{id_}.parquet", table)

    def predictions(self, id_: str) -> pd.DataFrame | None:
        """What a model said of every test sample: group, label, prediction, rank, logits; None if it read none."""
        try:
            table = self._read_table(self._path(f"predictions/{id_}.parquet"))
        except FileNotFoundError:
            return None
        frame: pd.DataFrame = table.to_pandas()
        return frame

    # --- proposals

    def proposals(self) -> dict[tuple[str, int], tuple[Proposal, ...]]:
        """Everything that searches asked for, by (key, generation)."""
        found = {}
        for path in self._list("proposals", recursive=True):
            if path.endswith(".json"):
                key, generation = Path(path).parent.name, int(Path(path).stem)
                points = json.loads(self._read(path))
                found[key, generation] = tuple(
                    Proposal(point["numbers"], tuple((int(e), float(v)) for e, v in point["thresholds"]))
                    for point in points
                )
        return found

    def store_proposals(self, key: str, generation: int, points: Sequence[Proposal]) -> None:
        text = json.dumps([{"numbers": point.numbers, "thresholds": point.thresholds} for point in points], indent=1)
        self._write(f"proposals/{key}/{generation}.json", lambda file: file.write(text.encode()))

    # --- arithmetic

    def arithmetic(self) -> dict[str, dict[str, Any]]:
        """How each settled structure computes ("name"), why ("reason"), and a member's bytes ("memory"), by digest."""
        files = [path for path in self._list("arithmetic") if path.endswith(".json")]
        return {Path(path).stem: json.loads(self._read(path)) for path in files}

    def store_arithmetic(self, structure: str, name: str, reason: str, memory: int = 0) -> None:
        text = json.dumps({"name": name, "reason": reason, "memory": memory})
        self._write(f"arithmetic/{structure}.json", lambda file: file.write(text.encode()))

    # --- studies

    def write_rows(self, study: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """A study's table, whole: "index" or "looks"."""
        self._write_table(
            f"studies/{safe_name(study)}/{name}.parquet", pa.Table.from_pylist([dict(row) for row in rows])
        )

    def read_rows(self, study: str, name: str) -> list[dict[str, Any]]:
        try:
            rows: list[dict[str, Any]] = self._read_table(
                self._path(f"studies/{safe_name(study)}/{name}.parquet")
            ).to_pylist()
        except FileNotFoundError:
            return []
        return rows

    def write_json(self, study: str, name: str, value: Any) -> None:
        text = json.dumps(value, indent=1)
        self._write(f"studies/{safe_name(study)}/{name}.json", lambda file: file.write(text.encode()))

    def read_json(self, study: str, name: str) -> Any:
        """None where there is none."""
        try:
            return json.loads(self._read(self._path(f"studies/{safe_name(study)}/{name}.json")))
        except FileNotFoundError:
            return None

    # --- files

    def look(self) -> None:
        """Whether this root can be listed at all; one that does not exist yet is an empty store.

        Raises:
            OSError: it is a file, is out of reach, or may not be read.
        """
        if self._fs.get_file_info(self._base).type == fs.FileType.File:
            raise NotADirectoryError(f"{self._base} is a file")
        list(self._list(""))

    def _trial_files(self) -> list[str]:
        return [path for path in self._list("trials") if path.endswith(".parquet")]

    def _path(self, name: str) -> str:
        return f"{self._base}/{name}"

    def _list(self, folder: str, *, recursive: bool = False, half_written: bool = False) -> Iterator[str]:
        selector = fs.FileSelector(self._path(folder).rstrip("/"), allow_not_found=True, recursive=recursive)
        # A file that a kill left half-written has a leading dot.
        found = self._fs.get_file_info(selector)
        yield from sorted(info.path for info in found if info.base_name.startswith(".") == half_written)

    def _write(self, name: str, write: Any) -> None:
        path = self._path(name)
        self._fs.create_dir(path.rpartition("/")[0], recursive=True)
        if not isinstance(self._fs, fs.LocalFileSystem):
            # An object store shows an object when its upload is complete: one PUT is whole.
            buffer = io.BytesIO()
            write(buffer)
            with self._fs.open_output_stream(path) as file:
                file.write(buffer.getvalue())
            return
        with replacing(Path(path)) as partial, self._fs.open_output_stream(str(partial)) as file:
            write(file)

    def _write_table(self, name: str, table: pa.Table) -> None:
        self._write(name, lambda file: pq.write_table(table, file, compression="zstd"))

    def _read(self, path: str) -> bytes:
        with self._fs.open_input_file(path) as file:
            data: bytes = file.read()
        return data

    def _read_table(self, path: str) -> pa.Table:
        with self._fs.open_input_file(path) as file:
            return pq.read_table(file)


def _result(meta: Mapping[str, Any]) -> Result:
    return Result(meta["state"], meta["selected"], meta["valid"], meta.get("width", 0), meta.get("pace", 0.0))


def safe_name(name: str) -> str:
    """A user's name as a file name: what a file system might read as a path is spelt out."""
    return "".join(c if c.isalnum() or c in "-_ " else f"%{ord(c):02x}" for c in name)
