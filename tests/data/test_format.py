"""A dataset on disk reads back as it was written, names what is damaged, and is read no further than asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from kdsweep.data import registry as source
from kdsweep.data.checks import check
from kdsweep.data.disk import format
from kdsweep.values.study import Data
from tests.helpers.datasets import ROWS, clips


def asked(folder: Path) -> Data:
    return Data(path=str(folder), student=("look",))


@pytest.mark.parametrize("own_split", [True, False])
def test_a_written_dataset_reads_back_bit_for_bit(tmp_path, own_split):
    dataset = clips() if own_split else replace(clips(), split=None)
    format.write(dataset, tmp_path / "d")
    back, every = format.read(tmp_path / "d"), np.arange(ROWS)
    assert back.card == dataset.card
    for name in dataset.modalities:
        assert np.array_equal(back.modalities[name][every], dataset.modalities[name])
        assert np.array_equal(back.present[name][every], dataset.present[name])
    assert list(back.ids) == list(dataset.ids)
    assert list(back.groups) == list(dataset.groups)
    assert (back.labels == dataset.labels).all()
    assert (back.split is None) is not own_split


def test_a_dataset_on_disk_is_the_same_dataset(tmp_path):
    """Its trials have the names they would have had from memory."""
    format.write(clips(), tmp_path / "d")
    assert format.read(tmp_path / "d").facts(asked(tmp_path).split) == clips().facts(asked(tmp_path).split)
    assert format.read(tmp_path / "d").digest() == format.describe(tmp_path / "d").fingerprint


@pytest.mark.parametrize(("storage", "error"), [("float16", 2e-3), ("uint8", 2e-2)])
def test_narrow_types_round_and_say_so_in_the_fingerprint(tmp_path, storage, error):
    written = format.write(clips(), tmp_path / "d", storage={"gait": storage})
    back, every = format.read(tmp_path / "d"), np.arange(ROWS)
    assert np.abs(back.modalities["gait"][every] - clips().modalities["gait"]).max() < error
    assert (back.modalities["gait"][every][..., -1] == clips().modalities["gait"][..., -1]).all()
    assert written == back.digest() != clips().digest()


def test_rows_come_in_the_order_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(format, "GROUP_BYTES", 100)
    format.write(clips(), tmp_path / "d")
    assert pq.ParquetFile(tmp_path / "d" / "train.parquet").num_row_groups > 2
    rows = np.array([29, 3, 17, 3])
    chosen = format.read(tmp_path / "d").select(rows)
    assert (chosen.modalities["gait"] == clips().modalities["gait"][rows]).all()
    assert (chosen.present["gait"] == clips().present["gait"][rows]).all()


def test_the_test_part_is_not_read_for_who_does_not_ask_for_it(tmp_path):
    """Bytes of a test modality are destroyed; a search, which reads train and valid, does not notice."""
    format.write(clips(), tmp_path / "d")
    path = tmp_path / "d" / "test.parquet"
    file = pq.ParquetFile(path)
    look = next(c for c in map(file.metadata.row_group(0).column, range(9)) if c.path_in_schema.startswith("look"))
    content = bytearray(path.read_bytes())
    start = look.dictionary_page_offset or look.data_page_offset
    content[start : start + look.total_compressed_size] = bytes(look.total_compressed_size)
    path.write_bytes(content)
    dataset = format.read(tmp_path / "d")
    seen = dataset.only(("train", "valid"), ("look", "gait"), asked(tmp_path / "d").split)
    assert (seen.modalities["look"] == clips().modalities["look"][:25]).all()
    with pytest.raises(ValueError, match=r"test\.parquet: the file is damaged"):
        dataset.only(("test",), ("look",), asked(tmp_path / "d").split)


def test_a_study_names_a_folder(tmp_path):
    format.write(clips(), tmp_path / "d")
    assert source.card(asked(tmp_path / "d").reference).classes == ("walk", "wander")
    assert len(source.load(asked(tmp_path / "d").reference)) == ROWS
    with pytest.raises(ValueError, match="a path takes none, got root"):
        source.card(Data(path=str(tmp_path / "d"), student=("look",), options={"root": "here"}).reference)


def test_a_split_without_a_valid_part_gets_one_from_train():
    given = np.where(clips().split == "valid", "train", clips().split)
    parts = replace(clips(), split=given).parts(asked(Path()).split)
    assert list(parts["test"]) == list(range(25, 30))
    assert sorted([*parts["train"], *parts["valid"]]) == list(range(25))
    assert not set(clips().groups[parts["train"]]) & set(clips().groups[parts["valid"]])


def test_a_truncated_file_is_named(tmp_path):
    format.write(clips(), tmp_path / "d")
    path = tmp_path / "d" / "valid.parquet"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"valid\.parquet: the file is damaged"):
        format.read(tmp_path / "d")


def test_files_of_two_datasets_are_not_mixed(tmp_path):
    format.write(clips(), tmp_path / "a")
    format.write(replace(clips(), labels=1 - clips().labels), tmp_path / "b")
    (tmp_path / "b" / "test.parquet").replace(tmp_path / "a" / "test.parquet")
    with pytest.raises(ValueError, match="written together"):
        format.read(tmp_path / "a")


def test_nothing_half_written_stays(tmp_path):
    broken = clips()
    broken.modalities["look"][3, 0, 1, 2] = np.nan
    with pytest.raises(ValueError, match=r"finite, got row 3 \('clip é 3'\), column look, feature 0 1 2"):
        format.write(broken, tmp_path / "d")
    huge = replace(clips(), modalities={**clips().modalities, "look": clips().modalities["look"] * np.float32(1e6)})
    with pytest.raises(ValueError, match="float16 reaches to 65504"):
        format.write(huge, tmp_path / "d", storage={"look": "float16"})
    assert not list(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(tmp_path):
    with pytest.raises(ValueError, match="exists"):
        format.write(clips(), tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.full(ROWS, 2)}, r"a class, from 0 to 1, got 2 in row 0 \('clip é 0'\), column label"),
        ({"labels": np.arange(ROWS) // (ROWS - 1)}, r"at least 2 samples, got 1 of 'wander': row 29"),
        ({"split": np.array(["train"] * ROWS)}, "no test in column split"),
        ({"split": np.array(["dev"] * ROWS)}, r"train, valid, test, got 'dev' in row 0"),
        ({"ids": np.array(["same"] * ROWS)}, "ids are unique, got 'same' 30 times"),
        ({"modalities": {**clips().modalities, "look": np.zeros((ROWS, 6), np.float32)}}, "look has the shape"),
        ({"modalities": {**clips().modalities, "gait": np.ones((ROWS, 5, 3), np.float32) / 2}}, "column gait"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(change, message):
    with pytest.raises(ValueError, match=message):
        check(replace(clips(), **change), where="here")
