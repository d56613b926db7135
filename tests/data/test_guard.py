"""Nothing of a test part reaches a search: it runs whole on data whose test rows raise when they are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdsweep import study_file
from kdsweep.data.dataset import Dataset
from kdsweep.data.disk import format
from kdsweep.run import local
from kdsweep.run.launch import Launch, with_facts
from kdsweep.run.store import Results
from kdsweep.values.card import Card, Modality
from kdsweep.values.study import Data, Folds

STUDY = """
data: {{path: {path}, student: [seen], auxiliary: [hidden]{folds}}}
networks: {{student: {{seen: mlp}}, teacher: {{seen: mlp, hidden: mlp}}, auxiliary: {{hidden: mlp}}}}
train: {{epochs: 2, batch_size: 16, lr: {{float: [1e-3, 1e-2], log: true}}}}
teachers: {{trials: 1}}
arms: {{student_only: {{}}, kd: {{}}}}
search: {{trials: 3, generation: 1, pruner: null}}
finalists: {{points: 2, seeds: 1}}
confirm: {{seeds: 1}}
controls: [shuffled_within_class]
report: {{claim: {{arm: kd, against: [student_only]}}}}
resources: {{pack: 1}}
"""
ROWS = 90


def clips(groups: int = 15) -> Dataset:
    rng = np.random.default_rng(0)
    labels = np.arange(ROWS) % 3
    there = np.ones(ROWS, bool)
    return Dataset(
        card=Card({name: Modality("vector", (4,)) for name in ("seen", "hidden")}, ("a", "b", "c"), grouped=True),
        modalities={name: rng.normal(labels[:, None], 1, (ROWS, 4)).astype(np.float32) for name in ("seen", "hidden")},
        present={"seen": there, "hidden": there},
        labels=labels,
        ids=np.array([f"clip {row}" for row in range(ROWS)]),
        groups=np.array([f"speaker {row % groups}" for row in range(ROWS)]),
    )


def destroyed(path: Path, row_groups: list[int]) -> None:
    """Make the values of these row groups raise whoever reads them; ids and labels stay."""
    meta, content = pq.ParquetFile(path).metadata, bytearray(path.read_bytes())
    for number in row_groups:
        for column in map(meta.row_group(number).column, range(meta.num_columns)):
            if column.path_in_schema.startswith(("seen", "hidden")):
                start = column.dictionary_page_offset or column.data_page_offset
                content[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    path.write_bytes(content)


def searched(tmp_path: Path, folds: str = "") -> dict[str, set[str]]:
    """Run a study on the dataset in tmp_path/d: by stage, how its trials ended."""
    study = with_facts(study_file.parse(STUDY.format(path=tmp_path / "d", folds=folds), name="guarded"))
    results = Results(tmp_path / "runs")
    driver = Launch(study, results)
    local.run(driver)
    driver.close()
    ended: dict[str, set[str]] = {}
    metadata = results.metadata()
    for role in results.read_rows("guarded", "index"):
        state = metadata[role["trial"]]["state"] if role["trial"] in metadata else "not run"
        ended.setdefault(role["stage"], set()).add(state)
    return ended


@pytest.mark.slow
def test_a_search_runs_whole_where_the_test_part_cannot_be_read(tmp_path):
    parted = clips()
    split = np.empty(ROWS, dtype="<U5")
    for part, rows in parted.parts(Data(path=".", student=("seen",)).split).items():
        split[rows] = part
    format.write(replace(parted, split=split), tmp_path / "d")
    destroyed(tmp_path / "d" / "test.parquet", [0])
    stages = searched(tmp_path)
    assert stages["search"] == stages["finalists"] == {"complete"}
    # The trap works: who does read test falls into it, and has no result.
    assert stages["confirm"] == {"not run"}


@pytest.mark.slow
def test_a_folds_test_rows_do_not_reach_its_search(tmp_path, monkeypatch):
    monkeypatch.setattr(format, "GROUP_BYTES", 1)
    format.write(clips(), tmp_path / "d")
    data = Data(path=str(tmp_path / "d"), student=("seen",), folds=Folds(count=3, by="group", search="first"))
    tested = clips().parts(data.split, 0)["test"]
    assert pq.ParquetFile(tmp_path / "d" / "rows.parquet").num_row_groups == ROWS
    destroyed(tmp_path / "d" / "rows.parquet", tested.tolist())
    stages = searched(tmp_path, folds=", folds: {count: 3, by: group, search: first}")
    assert stages["search"] == stages["finalists"] == {"complete"}
    assert stages["confirm"] != {"complete"}


@settings(max_examples=40)
@given(
    groups=st.integers(8, 30),
    seed=st.integers(0, 1000),
    folds=st.one_of(st.none(), st.integers(2, 6)),
    given_split=st.booleans(),
)
def test_no_split_shares_a_group(groups, seed, folds, given_split):
    dataset = clips(groups)
    if given_split:
        dataset = replace(dataset, split=np.where(np.arange(ROWS) % groups < 2, "test", "train"))
    data = Data(path=".", student=("seen",), split_seed=seed, folds=Folds(count=folds) if folds else None)
    for fold in range(folds or 1):
        parts = dataset.parts(data.split, fold)
        assert sorted(np.concatenate(list(parts.values()))) == list(range(ROWS))
        members = [group for rows in parts.values() for group in set(dataset.groups[rows])]
        assert len(members) == len(set(members))
