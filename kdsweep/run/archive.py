"""One row of a report as one file that others can check: its trials, the models they read, and what they came to.

    row.json               what it is: study, row, metric, data, code, versions, and the expected values by seed
    study.yaml             the study's file, to read
    trials/<id>.parquet    every trial of the row and every model it reads, as the store holds them
    given/<digest>.safetensors     a teacher that the user brought

An archive is data: it holds no code, and nothing that it names is imported or called but what the reader allows by
name.
What is trained again runs on the reader's own copy, whose digest has to be the same.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdsweep.atomic import replacing
from kdsweep.run import replay as again
from kdsweep.run.journal import check_owner, read_state
from kdsweep.run.machine import device_like
from kdsweep.run.store import Results
from kdsweep.run.worker import work
from kdsweep.values import user_code
from kdsweep.values.study import Data, Study
from kdsweep.values.trial import Given, Trial

FORMAT = 1
LARGEST = 2**31  # bytes unpacked: a small file must not fill a disk
MEMBER = re.compile(r"(trials/[0-9a-f]{24}\.parquet|given/[0-9a-f]{24}\.safetensors|row\.json|study\.yaml)")
# Any moment will do, so that equal rows give equal archives.
EPOCH = (1980, 1, 1, 0, 0, 0)


def export(study: Study, results: Results, name: str, out: Path) -> int:
    """Write the row of this name: an arm, or a row or control of the ablation. Returns how many trials it holds.

    Raises:
        ValueError: there is no such row, or it has no finished runs yet.
    """
    known = results.metadata()
    if read_state(study.name, results) is None:
        raise ValueError(f"{study.name}: not launched yet under {study.storage}")
    check_owner(study, results)
    roles = _roles(study, results, name)
    done = [role for role in roles if role["trial"] in known]
    if not done:
        raise ValueError(f"row {name!r} of {study.name} has no finished runs yet: launch the study to its end first")
    trials = _with_models([Trial.named(role["trial"], known[role["trial"]]["trial"]) for role in done])
    missing = [trial.id for trial in trials if isinstance(trial, Trial) and trial.id not in known]
    if missing:
        raise ValueError(f"row {name!r} rests on trials that this store lacks: {', '.join(missing)}")
    ids = [trial.id for trial in trials if isinstance(trial, Trial)]
    files = {"study.yaml": study.source.encode()}
    with tempfile.TemporaryDirectory() as folder:
        copy = Results(folder)
        for trial, curve in results.curves(ids).astype({"trial": str}).groupby("trial"):
            id_ = str(trial)
            rows = curve[["epoch", "metric", "value", "seconds"]].itertuples(index=False, name=None)
            copy.stage(id_, ((int(e), str(m), float(v), float(s)) for e, m, v, s in rows), known[id_])
            copy.commit(id_)
            files[f"trials/{id_}.parquet"] = (Path(folder) / "trials" / f"{id_}.parquet").read_bytes()
    for weights in (own for trial in trials for own in _weights(trial)):
        files[f"given/{weights['digest']}.safetensors"] = bytes_of(weights)
    described = _described(study, name, done, known, results, ids)
    files["row.json"] = json.dumps(described, indent=1, sort_keys=True).encode()
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in sorted(files):
            archive.writestr(zipfile.ZipInfo(member, EPOCH), files[member], zipfile.ZIP_DEFLATED)
    return len(ids)


def replay(
    path: Path, *, seeds: int, data: Path | None = None, allow_code: Sequence[str] = ()
) -> Iterator[again.Answer]:
    """Train the first `seeds` runs of an archived row again, their models first; say of each whether it is the same.

    Args:
        data: folder of the dataset, where it lies elsewhere than it did.
        allow_code: modules that may be run where the row names code.

    Raises:
        ValueError: no archive of ours, data or code that are not those of the row, or code that was not allowed.
    """
    with tempfile.TemporaryDirectory() as folder:
        described = _unpack(path, Path(folder))
        then, now = Results(folder), Results(Path(folder) / "again")
        known = then.metadata()
        for id_, meta in known.items():
            try:
                Trial.named(id_, meta["trial"])
            except ValueError as error:
                raise ValueError(f"{path}: {error}") from error
        first = [run["trial"] for run in described["runs"][:seeds]]
        if unknown := [id_ for id_ in first if id_ not in known]:
            raise ValueError(f"{path}: row.json names trials that the archive lacks: {', '.join(unknown)}")
        wanted = [Trial.from_json(known[id_]["trial"]) for id_ in first]
        trials = [trial for trial in _with_models(wanted) if isinstance(trial, Trial)]
        for trial in trials:
            again.check(trial, _data(known[trial.id], data), allow_code)
        for trial in trials:
            work([_brought(trial, Path(folder))], _data(known[trial.id], data), now,
                 device=str(device_like(known[trial.id]["device"])))  # fmt: skip
            now.commit(trial.id)
            meta = now.metadata()[trial.id]
            rows = now.curves([trial.id])[["epoch", "metric", "value"]].astype({"metric": str})
            yield again.judge(
                trial.id,
                rows.itertuples(index=False, name=None),
                state=meta["state"],
                error=meta["error"],
                known=known,
                results=then,
            )


def describe(path: Path) -> dict[str, Any]:
    """What an archive says of itself.

    Raises:
        ValueError: it is no archive of ours.
    """
    with _opened(path) as archive:
        described = json.loads(archive.read("row.json"))
    if not isinstance(described, dict):
        raise ValueError(f"{path}: row.json is a mapping, got {type(described).__name__}")
    if described.get("format") != FORMAT:
        raise ValueError(f"{path}: this kdsweep reads archives of format {FORMAT}, got {described.get('format')!r}")
    return described


def _roles(study: Study, results: Results, name: str) -> list[dict[str, Any]]:
    """The roles of a row's runs that read test, in the order of repeat, fold and seed."""
    roles = [role for role in results.read_rows(study.name, "index") if role["wanted"]]
    for stage, column in (("confirm", "arm"), ("ablate", "row"), ("control", "control")):
        if found := [role for role in roles if role["stage"] == stage and role[column] == name]:
            # A row that was retuned and one that was not are two rows: the one with its own search says more.
            retuned = any(role["retuned"] for role in found)
            found = [role for role in found if role["retuned"] == retuned]
            return sorted(found, key=lambda role: (role["repeat"], role["fold"], role["seed"]))
    names = [*study.arms, *(row.name for row in study.rows), *study.controls]
    raise ValueError(f"no runs of a row {name!r} in {study.name}: it has {', '.join(names)}")


def _with_models(trials: Sequence[Trial]) -> list[Trial | Given]:
    """These trials and every model that they read, however deep, each once and after what it reads itself."""
    found: dict[str, Trial | Given] = {}

    def add(trial: Trial | Given) -> None:
        if isinstance(trial, Trial):
            for model in trial.models.values():
                add(model)
        found.setdefault(trial.id, trial)

    for trial in trials:
        add(trial)
    return list(found.values())


def _described(
    study: Study,
    name: str,
    roles: Sequence[Mapping[str, Any]],
    known: Mapping[str, dict[str, Any]],
    results: Results,
    ids: Sequence[str],
) -> dict[str, Any]:
    test = results.curves([role["trial"] for role in roles])
    test = test[test["metric"].astype(str).str.startswith("test/")]
    runs = []
    for role in roles:
        mine = test[test["trial"].astype(str) == role["trial"]].sort_values("epoch")
        last = mine.drop_duplicates("metric", keep="last")
        expected = dict(zip(last["metric"].astype(str), map(float, last["value"]), strict=True))
        where = {key: role[key] for key in ("trial", "repeat", "fold", "seed")}
        runs.append({**where, "state": known[role["trial"]]["state"], "expected": expected})
    first = known[roles[0]["trial"]]
    return {
        "format": FORMAT,
        "study": study.name,
        "row": name,
        "metric": study.metric,
        "data": first["data"],
        "fingerprint": first["trial"]["fingerprint"],
        "rows": first["trial"]["rows"],
        "code": {known[id_]["trial"]["method"]: known[id_]["trial"]["code"] for id_ in ids},
        "kdsweep": first["version"],
        "commit": first["commit"],
        "libraries": first["libraries"],
        "processor": first["processor"],
        "device": first["device"],
        "runs": runs,
        "models": [id_ for id_ in ids if id_ not in {role["trial"] for role in roles}],
    }


def _data(meta: Mapping[str, Any], folder: Path | None) -> Data:
    found = Data(**meta["data"])
    return found.model_copy(update={"path": str(folder)}) if folder is not None and found.path is not None else found


def _weights(trial: Trial | Given) -> list[Mapping[str, str]]:
    """The files of weights that a user brought, by "digest" and "path": a teacher's, and those of parts of networks."""
    if isinstance(trial, Given):
        # A teacher that was brought as outputs is columns of the data.
        return [{"digest": trial.digest, "path": trial.path}] if trial.kind == "weights" else []
    found: list[Mapping[str, str]] = []
    for network in trial.networks.values():
        places = [network, *(part for part in network.values() if isinstance(part, Mapping))]
        found += [place["weights"] for place in places if "weights" in place]
    return found


def bytes_of(weights: Mapping[str, str]) -> bytes:
    """The file that these weights were, and no other that lies at its path: an archive leaves this machine.

    Raises:
        ValueError: the file is another one now, or none of weights.
    """
    if user_code.weights(weights["path"])["digest"] != weights["digest"]:
        raise ValueError(
            f"{weights['path']} is not the file of weights {weights['digest']} that the row was trained with"
        )
    return Path(weights["path"]).read_bytes()


def _brought(trial: Trial, folder: Path) -> Trial:
    """The trial with the weights that came in the archive, wherever the first ones lay."""

    def here(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        if set(value) == {"digest", "path"}:
            return {**value, "path": str(folder / "given" / f"{value['digest']}.safetensors")}
        return {name: here(part) for name, part in value.items()}

    trial = replace(trial, networks=here(trial.networks))
    if not isinstance(trial.teacher, Given) or trial.teacher.kind != "weights":
        return trial
    path = folder / "given" / f"{trial.teacher.digest}.safetensors"
    return replace(trial, teacher=replace(trial.teacher, path=str(path)))


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
        names = set(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: an archive of `kdsweep export row` was expected: {error}") from error
    if strange := sorted(name for name in names if not MEMBER.fullmatch(name)):
        raise ValueError(f"{path}: an archive holds trials and row.json alone, got {strange[0]!r}")
    if "row.json" not in names or sum(info.file_size for info in archive.infolist()) > LARGEST:
        raise ValueError(f"{path}: an archive has a row.json and at most {LARGEST >> 30} GiB")
    return archive


def _unpack(path: Path, folder: Path) -> dict[str, Any]:
    described = describe(path)
    with _opened(path) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if "/" in name])
    for file in (folder / "given").glob("*.safetensors"):
        if hashlib.blake2b(file.read_bytes()).hexdigest()[:24] != file.stem:
            raise ValueError(f"{path}: the bytes of the given teacher {file.stem} are not those that it is named by")
    return described
