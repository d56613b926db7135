"""The store: a trial is there whole or not at all, and nothing in it is lost, doubled or misread."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from kdsweep.run.store import Results
from kdsweep.values.result import Proposal


def meta(**changes):
    return {"state": "complete", "selected": 2, "valid": {"accuracy": [0.1, 0.25]}, "trial": {}, **changes}


WEIGHTS = safetensors.numpy.save({"weight": np.zeros(3)})
POINTS = [(1, "valid/accuracy", 0.1, 0.5), (2, "valid/accuracy", 0.25, 0.5), (2, "train/loss", 1 / 3, 0.5)]


@pytest.fixture
def results(tmp_path):
    return Results(tmp_path / "runs")


def finish(results: Results, *ids: str) -> None:
    for id_ in ids:
        results.stage(id_, POINTS, meta())
        results.commit(id_)


def test_a_staged_trial_is_no_result_until_it_is_committed(results):
    results.stage("a", POINTS, meta())
    assert not results.known()
    results.commit("a")
    assert results.known()["a"].score("accuracy") == 0.25


def test_an_empty_store_reads_as_empty(results):
    assert results.known() == {}
    assert results.proposals() == {}
    assert results.curves(["a"]).empty
    assert results.read_rows("study", "index") == []
    assert results.predictions("a") is None


def test_numbers_come_back_to_the_last_bit(results):
    finish(results, "a")
    curves = results.curves(["a"])
    assert curves[curves.metric == "train/loss"].value.item() == 1 / 3


@pytest.mark.parametrize(
    ("changes", "score"),
    [({}, 0.25), ({"selected": 1}, 0.1), ({"state": "pruned", "selected": 1}, 0.25), ({"state": "failed"}, math.nan)],
)
def test_a_score_is_that_of_the_selected_epoch(results, changes, score):
    results.stage("a", POINTS, meta(**changes))
    assert results.commit("a").score("accuracy") == pytest.approx(score, nan_ok=True)


def test_curves_are_read_by_trial_and_by_metric(results):
    finish(results, "a", "b", "c")
    assert set(results.curves(["a", "c"]).trial) == {"a", "c"}
    assert set(results.curves(["a"], ["train/loss"]).metric) == {"train/loss"}


def test_compacted_trials_read_as_loose_ones(results):
    ids = [f"t{number}" for number in range(20)]
    finish(results, *ids)
    known, curves = results.known(), results.curves(ids)
    results.compact(more_than=10)
    assert len(list((results_folder(results) / "trials").iterdir())) == 1
    assert results.known() == known
    again = results.curves(ids)
    assert again.sort_values(["trial", "metric", "epoch"]).astype(str).values.tolist() == (
        curves.sort_values(["trial", "metric", "epoch"]).astype(str).values.tolist()
    )


def test_a_kill_in_the_middle_of_compacting_counts_no_row_twice(results, monkeypatch):
    finish(results, "a", "b")
    folder = results_folder(results) / "trials"
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    results.compact(more_than=1)
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    assert len(results.curves(["a", "b"])) == 2 * len(POINTS)


def test_old_strays_are_swept_and_young_ones_left_to_their_worker(results):
    finish(results, "a")
    for id_ in ("a", "stray"):
        results.write_model(id_, "student", WEIGHTS)
        results.write_predictions(id_, pa.table({"sample": ["x"]}))
    half = results_folder(results) / "trials" / ".b.parquet.17"
    half.write_bytes(b"PAR1 and then the power went")
    assert results.sweep_strays(results.known()) == 0
    assert results.sweep_strays(results.known(), older_than=0) == 3
    assert not half.exists()
    assert results.read_model("a", "student") == WEIGHTS
    assert results.predictions("a") is not None
    with pytest.raises(FileNotFoundError):
        results.read_model("stray", "student")


def test_a_half_written_file_is_not_seen(results):
    finish(results, "a")
    (results_folder(results) / "trials" / ".b.parquet.17").write_bytes(b"PAR1 and then the power went")
    assert set(results.known()) == {"a"}
    results.compact(more_than=0)
    assert set(results.known()) == {"a"}


def test_proposals_come_back_exactly(results):
    points = (Proposal({"kd.weight": 0.1 + 0.2, "k": 3, "form": "pair"}, ((1, 1 / 3),)), Proposal({}))
    results.store_proposals("key", 2, points)
    assert results.proposals() == {("key", 2): points}


@pytest.mark.parametrize("name", ["../../escape", "<b>bold</b>", "a/b", ".hidden", "déjà vu", "con:colon"])
def test_a_users_name_stays_inside_the_store(results, name):
    results.write_json(name, "state", {"x": 1})
    assert results.read_json(name, "state") == {"x": 1}
    folders = list((results_folder(results) / "studies").iterdir())
    assert len(folders) == 1
    assert list(results_folder(results).parent.rglob("state.json")) == [folders[0] / "state.json"]


def test_a_root_may_be_a_uri(tmp_path):
    results = Results((tmp_path / "runs").as_uri())
    finish(results, "a")
    assert set(results.known()) == {"a"}
    results.compact(more_than=0)
    assert set(results.known()) == {"a"}


def test_a_result_file_is_tidy_parquet_for_anybody(results):
    finish(results, "a")
    table = pq.read_table(results_folder(results) / "trials" / "a.parquet")
    assert table.column_names == ["trial", "state", "epoch", "metric", "value", "seconds"]


def results_folder(results: Results):
    from pathlib import Path

    return Path(results.root)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("trials/{}.parquet", b"PAR1 and then"),
        ("trials/pack-{}.parquet", b""),
        ("proposals/key/0.json", b"[{"),
        ("studies/study/state.json", b"{"),
        ("studies/study/index.parquet", b"nothing"),
    ],
)
def test_a_damaged_file_is_named_in_one_line(results, name, content):
    path = results_folder(results) / name.format("a" * 24)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    def read() -> None:
        results.metadata()
        results.proposals()
        results.read_json("study", "state")
        results.read_rows("study", "index")

    with pytest.raises(ValueError, match="it seems damaged") as caught:
        read()
    assert str(caught.value).startswith(f"{path} ")
    assert "\n" not in str(caught.value)


def test_a_parquet_file_of_somebody_elses_is_named_too(results):
    finish(results, "a")
    other = results_folder(results) / "trials" / "other.parquet"
    pq.write_table(pa.table({"x": [1]}), other)
    with pytest.raises(ValueError, match=r"other\.parquet cannot be read"):
        results.known()


def test_weights_that_a_disk_cut_short_are_the_machines_fault(results):
    results.write_model("a", "student", WEIGHTS[:-1])
    with pytest.raises(OSError, match=r"student\.safetensors is damaged"):
        results.read_model("a", "student")
