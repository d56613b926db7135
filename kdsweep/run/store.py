"""The store of trials' results, by hash; shared by all studies under one root. What lies here is the only truth.

trials/<id>.parquet            one finished trial: its curves; the file's appearance is the commit
trials/pack-<digest>.parquet   many finished trials in one file, a row group each
staging/<id>.parquet           written by a worker, not yet committed
models/<id>/<role>.safetensors      predictions/<id>.parquet
conditions/<id>/<condition>.parquet   what a student says of test under a condition of deployment, and its scores
references/<model>.parquet     what a reference model says of test, its scores, and how it was fitted
arithmetic/<structure>.json    whether a structure's trials train stacked, settled before the first of them
heard/<model>/<digest>.safetensors   what a frozen model says of a part of the data; compiled/: code; both are only kept
proposals/<key>/<generation>.json   what a search asks for, stored before it runs
studies/<name>/                what `kdsweep.run.journal` keeps of a study
ledger/<digest>.json           a claim that was registered, or test results that were shown; written once

Any number of processes on any number of machines read and write one store at once, on a folder that they share or on an
object store. The contract, which tests hold with several processes on both:

- A file appears whole. What two processes write under one name is the same, or each replaces the other's whole.
- A reader never fails because of a writer, and never misses a result that was there when it began, nor reads one twice:
  `compact` removes a loose file only once a pack holds its rows, and a reader to whom a file is gone lists again.
- A trial's rows are staged last, after its weights and predictions. Whoever finds them staged may commit them, be it
  another launch: a trial's id says all that decides its numbers. `commit` of what somebody else has committed is
  answered with that result.
- What a dead launch has left is swept by one that is alone on the store (`sweep_strays`); beside others nothing is.
- `forget` is for a store on which nothing runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from kdsweep.run.files import Damaged, Files
from kdsweep.values.result import Proposal, Result
from kdsweep.values.trial import digest

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
KEY = b"kdsweep"
# Loose files beyond this many are put together when a launch ends.
LOOSE = 256
PACK = "pack-"
# Seconds for which workers may outlive the launch that started them: what is younger is left to them.
OUTLIVE = 600.0
FOLDERS = (
    "arithmetic",
    "conditions",
    "heard",
    "ledger",
    "models",
    "predictions",
    "proposals",
    "references",
    "staging",
    "studies",
    "trials",
)
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
RULE = "the storage has to be a folder that can be written to, or an address that pyarrow opens"


class Results:
    """The store under one root: a folder, or any URI that pyarrow opens."""

    def __init__(self, root: str | Path) -> None:
        self.files = Files(root)
        self.root = self.files.root

    # --- trials

    def known(self) -> dict[str, Result]:
        """Every finished trial, by id."""
        return {id_: _result(meta) for id_, meta in self.metadata().items()}

    def metadata(self) -> dict[str, dict[str, Any]]:
        """Every finished trial's description: trial, state, provenance, numbers, papers, validation curves.

        Raises:
            Damaged: a file of the store cannot be read; so does everything else that reads.
        """
        every: dict[str, dict[str, Any]] = {}
        for _, described in self._each_trial_file(lambda file: _described(pq.read_schema(file))):
            # Two forms of a trial hold the same rows: the first one counts, for its curves as well.
            every = described | every
        return every

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

    def staged(self) -> list[str]:
        """Trials that a worker has left whole, waiting for their commit."""
        return [_stem(name) for name in self.files.names("staging")]

    def commit(self, id_: str) -> Result:
        """Make a staged trial a result, at once and whole; where another process has, this is its result.

        Raises:
            FileNotFoundError: nothing was staged under this id, and it is no result.
        """
        try:
            self.files.move(f"staging/{id_}.parquet", f"trials/{id_}.parquet")
        except FileNotFoundError as error:
            # Another launch on this store trained the same trial or adopted it, and its driver came first.
            if self.files.exists(f"trials/{id_}.parquet"):
                pass
            elif (meta := self.metadata().get(id_)) is not None:
                return _result(meta)
            else:
                raise FileNotFoundError(f"nothing is staged of trial {id_} under {self.root}") from error
        try:
            with self.files.reading(f"trials/{id_}.parquet") as file:
                return _result(_described(pq.read_schema(file))[id_])
        except FileNotFoundError:
            # Compacted since.
            return _result(self.metadata()[id_])

    def adopt(self) -> list[str]:
        """Commit whatever is staged, by whomever: a killed driver's, or what another one was about to commit."""
        waiting = self.staged()
        for id_ in waiting:
            self.commit(id_)
        return waiting

    def sweep_strays(self, known: Collection[str], *, older_than: float = OUTLIVE) -> int:
        """Remove models and predictions of trials without a result, and half-written files. Returns how many.

        Only for a launch that is alone on the store: another one's workers write weights before they stage.

        Args:
            older_than: seconds.
        """
        strays = [name for name in self.files.names("predictions") if _stem(name) not in known]
        strays += [
            name for name in self.files.names("models", deep=True) if PurePosixPath(name).parent.name not in known
        ]
        strays += [name for folder in FOLDERS for name in self.files.half_written(folder)]
        old = self.files.older_than(older_than, strays)
        for name in old:
            self.files.delete(name)
        return len(old)

    def compact(self, *, more_than: int = LOOSE) -> None:
        """Put loose trial files together, a row group each, so that ten thousand trials stay readable.

        A kill in between, or another process that compacts, leaves trials in two files; they are read once.
        """
        loose = [name for name in self._trial_files() if not _is_pack(name)]
        if len(loose) <= more_than:
            return
        tables = {}
        for name in loose:
            try:
                tables[name] = self._read_table(name)
            except FileNotFoundError:
                # Another process has packed it.
                continue
        self._write_pack(tables.values())
        for name in tables:
            self.files.delete(name)

    def forget(self, ids: Collection[str]) -> None:
        """Remove these trials' results, also out of packs: they are trained again when a study asks for them.

        Not while a launch runs on the store: what it is packing would come back.
        """
        for name in self._trial_files():
            try:
                with self.files.reading(name) as file:
                    here = _described(pq.read_schema(file))
                gone = here.keys() & set(ids)
                if gone and len(here) > len(gone):
                    # The others' pack is there before this one goes.
                    table = self._read_table(name)
                    kept = table.filter(pc.invert(pc.is_in(table["trial"].cast(pa.string()), pa.array(sorted(gone)))))
                    left = {id_: meta for id_, meta in here.items() if id_ not in gone}
                    self._write_pack([kept.replace_schema_metadata({KEY: json.dumps(left)})])
            except FileNotFoundError:
                continue
            if gone:
                self.files.delete(name)

    def curves(self, ids: Iterable[str], metrics: Sequence[str] | None = None) -> pd.DataFrame:
        """Rows (trial, epoch, metric, value, seconds) of these trials, of these metrics or of all."""
        wanted, pieces, seen = set(ids), [SCHEMA.empty_table()], set[str]()

        def read(file: Any) -> tuple[set[str], pa.Table | None]:
            parquet = pq.ParquetFile(file)
            here = set(_described(parquet.schema_arrow))
            new = here & wanted - seen
            if not new:
                return new, None
            table = parquet.read().replace_schema_metadata(None).cast(SCHEMA)
            if new != here:
                table = table.filter(pc.is_in(table["trial"].cast(pa.string()), pa.array(sorted(new))))
            if metrics is not None:
                table = table.filter(pc.is_in(table["metric"].cast(pa.string()), pa.array(list(metrics), pa.string())))
            return new, table

        for _, (new, table) in self._each_trial_file(read):
            seen |= new
            pieces += [table] if table is not None else []
        # Words stay numbers with a dictionary throughout: ten thousand trials are millions of rows.
        frame: pd.DataFrame = pa.concat_tables(pieces).unify_dictionaries().to_pandas()
        for name in ("trial", "metric", "state"):
            words = frame[name].cat.remove_unused_categories()
            frame[name] = words.cat.reorder_categories(sorted(words.cat.categories))
        return frame

    # --- weights and predictions

    def write_model(self, id_: str, role: str, data: bytes) -> None:
        """Weights of one role, as safetensors bytes."""
        self.files.write_bytes(f"models/{id_}/{safe_name(role)}.safetensors", data)

    def read_model(self, id_: str, role: str) -> bytes:
        name = f"models/{id_}/{safe_name(role)}.safetensors"
        data = self.files.read(name)
        if not _is_whole(data):
            raise Damaged(f"{self.root}/{name} is damaged. Remove trials/{id_}.parquet: the trial is trained again")
        return data

    def write_heard(self, name: str, data: bytes) -> None:
        """What a frozen model says of a part of the data, `<model>/<digest>`, as safetensors bytes."""
        self.files.write_bytes(f"heard/{name}.safetensors", data)

    def write_predictions(self, id_: str, table: pa.Table) -> None:
        self._write_table(f"predictions/{id_}.parquet", table)

    def predictions(self, id_: str) -> pd.DataFrame | None:
        """What a model said of every test sample: label, prediction, rank, logits; None if it read none."""
        try:
            table = self._read_table(f"predictions/{id_}.parquet")
        except FileNotFoundError:
            return None
        frame: pd.DataFrame = table.to_pandas()
        return frame

    # --- conditions of deployment

    def write_reading(self, id_: str, condition: str, said: pa.Table, scores: Mapping[str, float]) -> None:
        """What a trial's student says of test under a condition, and its metrics there."""
        self._write_table(
            f"conditions/{id_}/{condition}.parquet", said.replace_schema_metadata({KEY: json.dumps(dict(scores))})
        )

    def readings(self) -> set[tuple[str, str]]:
        """Those that are there, by trial and condition."""
        names = map(PurePosixPath, self.files.names("conditions", deep=True))
        return {(name.parent.name, name.stem) for name in names}

    def reading(self, id_: str, condition: str) -> tuple[pd.DataFrame, dict[str, float]]:
        """Predictions and metrics of one that is there."""
        table = self._read_table(f"conditions/{id_}/{condition}.parquet")
        return table.to_pandas(), json.loads((table.schema.metadata or {})[KEY])

    # --- reference models

    def write_reference(self, model: str, said: pa.Table, record: Mapping[str, Any]) -> None:
        """What a reference model says of test, and how it was fitted."""
        self._write_table(f"references/{model}.parquet", said.replace_schema_metadata({KEY: json.dumps(record)}))

    def reference(self, model: str) -> tuple[pd.DataFrame, dict[str, Any]] | None:
        """Its predictions, its metrics on test ("scores") and how it was fitted ("library", "note", "error")."""
        try:
            table = self._read_table(f"references/{model}.parquet")
        except FileNotFoundError:
            return None
        return table.to_pandas(), json.loads((table.schema.metadata or {})[KEY])

    # --- proposals

    def proposals(self) -> dict[tuple[str, int], tuple[Proposal, ...]]:
        """Everything that searches asked for, by (key, generation)."""
        stored = {}
        for name in self.files.names("proposals", deep=True):
            with self.files.reading(name) as file:
                key, generation = PurePosixPath(name).parent.name, int(_stem(name))
                stored[key, generation] = tuple(
                    Proposal(point["numbers"], tuple((int(e), float(v)) for e, v in point["thresholds"]))
                    for point in json.loads(file.read())
                )
        return stored

    def store_proposals(self, key: str, generation: int, points: Sequence[Proposal]) -> None:
        self._write_json(
            f"proposals/{key}/{generation}.json",
            [{"numbers": point.numbers, "thresholds": point.thresholds} for point in points],
        )

    # --- arithmetic

    def arithmetic(self) -> dict[str, dict[str, Any]]:
        """How each settled structure computes ("name"), why ("reason"), and a member's bytes ("memory"), by digest."""
        return {_stem(name): self._read_json(name) for name in self.files.names("arithmetic")}

    def store_arithmetic(self, structure: str, name: str, reason: str, memory: int = 0) -> None:
        self._write_json(f"arithmetic/{structure}.json", {"name": name, "reason": reason, "memory": memory})

    # --- studies

    def write_rows(self, study: str, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """A study's table, whole."""
        self._write_table(f"{_folder(study)}/{name}.parquet", pa.Table.from_pylist([dict(row) for row in rows]))

    def read_rows(self, study: str, name: str) -> list[dict[str, Any]]:
        """Empty where there is none."""
        try:
            rows: list[dict[str, Any]] = self._read_table(f"{_folder(study)}/{name}.parquet").to_pylist()
        except FileNotFoundError:
            return []
        return rows

    def write_json(self, study: str, name: str, value: Any) -> None:
        self._write_json(f"{_folder(study)}/{name}.json", value)

    def read_json(self, study: str, name: str) -> Any:
        """None where there is none."""
        try:
            return self._read_json(f"{_folder(study)}/{name}.json")
        except FileNotFoundError:
            return None

    # --- the ledger

    def ledger(self) -> dict[str, dict[str, Any]]:
        """Its lines by name, of all studies."""
        return {_stem(name): self._read_json(name) for name in self.files.names("ledger")}

    def add_to_ledger(self, name: str, line: Mapping[str, Any]) -> None:
        """A file for each line: two processes at once lose neither's. One that is there stays as it is."""
        if not self.files.exists(f"ledger/{name}.json"):
            self._write_json(f"ledger/{name}.json", dict(line))

    # --- files

    def _each_trial_file(self, read: Callable[[Any], T]) -> Iterator[tuple[str, T]]:
        """What `read` makes of every trial file, those too that replace others meanwhile."""
        done: set[str] = set()
        while waiting := [name for name in self._trial_files() if name not in done]:
            for name in waiting:
                done.add(name)
                try:
                    with self.files.reading(name) as file:
                        made = read(file)
                except FileNotFoundError:
                    # Compacted since the listing: its rows are in a pack, which the next listing shows.
                    continue
                yield name, made

    def _trial_files(self) -> list[str]:
        return [name for name in self.files.names("trials") if name.endswith(".parquet")]

    def _write_pack(self, tables: Iterable[pa.Table]) -> None:
        tables, meta = list(tables), dict[str, Any]()
        for table in tables:
            meta |= _described(table.schema)
        if not meta:
            return
        schema = SCHEMA.with_metadata({KEY: json.dumps(meta)})

        def write(file: Any) -> None:
            with pq.ParquetWriter(file, schema, compression="zstd") as writer:
                for table in tables:
                    writer.write_table(
                        table.replace_schema_metadata(None).cast(SCHEMA).replace_schema_metadata(schema.metadata)
                    )

        self.files.write(f"trials/{PACK}{digest(sorted(meta))}.parquet", write)

    def _write_table(self, name: str, table: pa.Table) -> None:
        self.files.write(name, lambda file: pq.write_table(table, file, compression="zstd"))

    def _read_table(self, name: str) -> pa.Table:
        with self.files.reading(name) as file:
            return pq.read_table(file)

    def _write_json(self, name: str, value: Any) -> None:
        self.files.write_bytes(name, json.dumps(value, indent=1).encode())

    def _read_json(self, name: str) -> Any:
        with self.files.reading(name) as file:
            return json.loads(file.read())


def open_store(root: str) -> Results:
    """The store under a root, which need not exist yet; what is wrong with it is said before anything else is done.

    Raises:
        ValueError: no store can be there: an address that nothing opens, a file where a folder has to be, no rights.
    """
    try:
        if "://" not in root:
            _no_file_above(Path(root))
        results = Results(root)
        results.files.look()
    except (OSError, pa.ArrowException) as error:
        raise ValueError(f"{RULE}, got {root}: {str(error).splitlines()[0]}") from error
    return results


def safe_name(name: str) -> str:
    """A user's name as a file name: what a file system might read as a path is spelt out."""
    return "".join(c if c.isalnum() or c in "-_ " else f"%{ord(c):02x}" for c in name)


def _folder(study: str) -> str:
    return f"studies/{safe_name(study)}"


def _stem(name: str) -> str:
    return PurePosixPath(name).stem


def _is_pack(name: str) -> bool:
    return name.startswith(f"trials/{PACK}")


def _described(schema: pa.Schema) -> dict[str, dict[str, Any]]:
    described: dict[str, dict[str, Any]] = json.loads((schema.metadata or {})[KEY])
    return described


def _result(meta: Mapping[str, Any]) -> Result:
    return Result(meta["state"], meta["selected"], meta["valid"], meta.get("width", 0), meta.get("pace", 0.0))


def _is_whole(safetensors: bytes) -> bool:
    """Whether the bytes are as many as their header says: torch would take a short file for the trial's own fault."""
    try:
        size = int.from_bytes(safetensors[:8], "little")
        header = json.loads(safetensors[8 : 8 + size])
        ends = [part["data_offsets"][1] for name, part in header.items() if name != "__metadata__"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
    return len(safetensors) == 8 + size + max(ends, default=0)


def _no_file_above(path: Path) -> None:
    for part in (path, *path.parents):
        if part.exists():
            if not part.is_dir():
                raise NotADirectoryError(f"{part} is a file")
            return
