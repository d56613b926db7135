"""How long a report takes to build and how large its page is, by the number of trials.

    python benchmarks/report.py [--trials 10 1000 10000] [--epochs 50] [--keep FOLDER]

Writes a store of made-up trials as a sweep would have left it, then does what `kdsweep report` does: reads the store
and writes the page. Prints a line for each size and writes benchmarks/results/report-DATE.json.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kdsweep import study_file
from kdsweep.report import build
from kdsweep.report.facts.collect import collect
from kdsweep.run.journal import Standing
from kdsweep.run.store import KEY, SCHEMA, Results
from kdsweep.values.card import Facts, Rows
from kdsweep.values.study import Study

SAMPLES, CLASSES, SEEDS = 1000, 10, 10
PACKED = 300  # trials in a file
NUMBERS = ["train.lr", "kd.weight", "kd.temperature", "entropy.weight", "entropy.start"]


def study(trials: int) -> Study:
    """The quickstart's study with so many trials in all its searches together."""
    path = Path(__file__).parents[1] / "search_spaces" / "quickstart.yaml"
    found = study_file.load(path)
    rows = Rows({part: part for part in ("train", "valid", "test")}, {"train": 5000, "valid": 500, "test": SAMPLES})
    searched = [arm for arm in found.arms.values() if arm.method != "teacher"]
    return replace(
        found,
        facts=Facts("made up", (rows,)),
        search=found.search.model_copy(update={"trials": max(trials // len(searched), 1)}),
        confirm=found.confirm.model_copy(update={"seeds": SEEDS if trials >= 1000 else 2}),
    )


def fill(asked: Study, results: Results, epochs: int, rng: np.random.Generator) -> int:
    """Trials, index and predictions of every stage; how many trials there are."""
    index: list[dict[str, Any]] = []
    metas: dict[str, Any] = {}
    label = rng.integers(CLASSES, size=SAMPLES)
    tables = []
    seeds = range(1, asked.confirm.seeds + 1)
    arms = [name for name, arm in asked.arms.items() if arm.method != "teacher"]
    roles = [("search", arm, "", "", number) for arm in arms for number in range(asked.search.trials)]
    roles += [("confirm", arm, "", "", seed) for arm in arms for seed in seeds]
    roles += [("ablate", asked.ablated, row.name, "", seed) for row in asked.rows for seed in seeds]
    roles += [("control", asked.ablated, "", control, seed) for control in asked.controls for seed in seeds]
    for stage, arm, row, control, number in roles:
        id_ = f"{len(metas):024x}"
        tests = stage != "search"
        pruned = stage == "search" and number >= 16 and rng.random() < 0.5
        last = epochs // 4 if pruned else epochs
        curve = 0.8 - 0.5 * np.exp(-np.arange(1, last + 1) / 8) + 0.01 * rng.normal(size=last)
        names = {
            "valid/accuracy": curve,
            "train/loss": 1 - curve,
            "train/loss/ce": 1 - curve,
            "train/loss/kd": 2 - curve,
        }
        points = [(e + 1, name, float(values[e])) for name, values in names.items() for e in range(last)]
        if tests:
            guess = np.where(rng.random(SAMPLES) < 0.8, label, rng.integers(CLASSES, size=SAMPLES))
            points.append((last, "test/accuracy", float((guess == label).mean())))
            results.write_predictions(id_, _predictions(label, guess))
        tables.append(_rows(id_, "pruned" if pruned else "complete", points))
        metas[id_] = _meta(asked, arm, number if tests else 0, "pruned" if pruned else "complete", last, curve, rng)
        index.append(
            {
                "trial": id_, "stage": stage, "arm": arm, "row": row, "control": control, "retuned": False,
                "trains": "student", "repeat": 0, "seed": number if tests else 0, "fold": 0,
                "generation": number // 8, "number": number, "wanted": True,
            }
        )  # fmt: skip
    folder = Path(results.root) / "trials"
    folder.mkdir(parents=True)
    # As launches leave them: compacted, a row group a trial.
    ids = list(metas)
    for start in range(0, len(ids), PACKED):
        schema = SCHEMA.with_metadata({KEY: json.dumps({id_: metas[id_] for id_ in ids[start : start + PACKED]})})
        with pq.ParquetWriter(folder / f"pack-{start}.parquet", schema, compression="zstd") as writer:
            for table in tables[start : start + PACKED]:
                writer.write_table(table.replace_schema_metadata(schema.metadata))
    results.write_rows(asked.name, "index", index)
    return len(metas)


def _rows(id_: str, state: str, points: list[tuple[int, str, float]]) -> pa.Table:
    n = len(points)
    epochs, names, values = zip(*points, strict=True)
    columns = [
        pa.array([id_] * n).dictionary_encode(), pa.array([state] * n).dictionary_encode(),
        pa.array(epochs, pa.int32()), pa.array(names).dictionary_encode(), pa.array(values), pa.array([0.1] * n),
    ]  # fmt: skip
    return pa.table(columns, schema=SCHEMA)


def _meta(
    asked: Study, arm: str, seed: int, state: str, epochs: int, curve: np.ndarray, rng: np.random.Generator
) -> dict[str, Any]:
    numbers = {name: float(10 ** rng.uniform(-3, 0)) for name in NUMBERS}
    trial = {
        "method": asked.arms[arm].method, "choices": {}, "dropped": [], "distils_from": "", "seed": seed, "fold": 0,
        "auxiliaries": {},
    }  # fmt: skip
    return {
        "trial": trial, "teacher": [], "state": state, "selected": epochs, "epochs": epochs, "seconds": 5.0,
        "valid": {"accuracy": list(curve)}, "numbers": numbers, "papers": {}, "error": "", "libraries": {},
        "version": "0.1.0", "commit": "", "host": "worker", "processor": "", "device": "cpu", "start": "", "end": "",
    }  # fmt: skip


def _predictions(label: np.ndarray, guess: np.ndarray) -> pa.Table:
    logits = np.zeros((len(label), CLASSES), dtype=np.float16)
    logits[np.arange(len(label)), guess] = 3
    return pa.table(
        {
            "sample": pa.array([f"s{i:05d}" for i in range(len(label))]),
            "group": pa.array([None] * len(label), pa.string()),
            "label": pa.array(label, pa.int32()),
            "prediction": pa.array(guess, pa.int32()),
            "rank": pa.array((guess != label).astype(int), pa.int32()),
            "logits": pa.FixedSizeListArray.from_arrays(pa.array(logits.reshape(-1)), CLASSES),
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--keep", type=Path, help="where the last report stays")
    asked = parser.parse_args()
    rows = []
    for trials in asked.trials:
        with tempfile.TemporaryDirectory() as folder:
            store, made = Results(folder), study(trials)
            count = fill(made, store, asked.epochs, np.random.default_rng(trials))
            start, used = time.perf_counter(), time.process_time()
            runs = collect(made, store, Standing(store.read_rows(made.name, "index"), True, {}))
            read = time.perf_counter()
            said = build(runs, (asked.keep or Path(folder)) / "report")
            done = time.perf_counter()
            rows.append(
                {
                    "trials": count, "epochs": asked.epochs, "read (s)": round(read - start, 1),
                    "build (s)": round(done - read, 1),
                    "CPU of both (s)": round(time.process_time() - used, 1),
                    "page (MB)": round(said.path.stat().st_size / 1e6, 2),
                }
            )  # fmt: skip
            print(rows[-1], flush=True)
    day = datetime.now(UTC).date().isoformat()
    path = Path(__file__).parent / "results" / f"report-{day}.json"
    path.write_text(json.dumps({"date": day, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
