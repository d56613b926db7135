"""Importing a user's files: joined by id, nothing guessed, and every fault named with its file, row and column."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy.io import wavfile
from typer.testing import CliRunner

from kdsweep import study_file
from kdsweep.cli.main import app
from kdsweep.data.disk import format
from kdsweep.data.importing import files, media
from kdsweep.data.importing import join as importing
from kdsweep.data.importing.files import Piece
from kdsweep.data.importing.media import Recipe
from tests.helpers.commands import data_command

ROWS = 24
IDS = [f"clip {row}" for row in range(ROWS)]


@pytest.fixture
def told(tmp_path, monkeypatch) -> Path:
    """An archive, a table of vectors, a folder of sounds, and a table of labels, each in an order of its own."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("video.npz", feats=np.arange(ROWS * 3, dtype=np.float32).reshape(ROWS, 3), clip=np.array(IDS))
    backwards = list(reversed(range(1, ROWS)))
    pd.DataFrame(
        {"clip": [IDS[row] for row in backwards], "vector": [[float(row), 1.0 - row % 3] for row in backwards]}
    ).to_parquet("audio.parquet")
    gait = [[[float(row), step] for step in range(1 + row % 4)] for row in range(ROWS)]
    pd.DataFrame({"clip": IDS, "steps": gait}).to_parquet("gait.parquet")
    split = ["train"] * 12 + ["val"] * 6 + ["test"] * 6
    speakers = [f"s{row // 3}" for row in range(ROWS)]
    labels = ["run" if row % 2 else "jump" for row in range(ROWS)]
    order = rng.permutation(ROWS)
    table = pd.DataFrame({"clip": IDS, "label": labels, "speaker": speakers, "fold": split}).iloc[order]
    table.to_csv("y.csv", index=False)
    return tmp_path


BASE = ["--modality", "video=video.npz:feats", "--modality", "audio=audio.parquet:vector", "--label", "y.csv:label"]


def test_files_are_joined_by_id_and_what_is_missing_is_counted(told):
    code, said = data_command("import", *BASE, "--id", "clip", "--group", "speaker", "--split", "fold", "--out", "d")
    assert code == 0, said
    assert "audio: missing in 1 of 24 rows" in said
    dataset = format.read(Path("d"))
    whole = dataset.select(np.arange(ROWS))
    for row, id_ in enumerate(whole.ids):
        number = IDS.index(id_)
        assert list(whole.modalities["video"][row]) == [3 * number, 3 * number + 1, 3 * number + 2]
        assert whole.present["audio"][row] == (number != 0)
        assert whole.modalities["audio"][row, 0] == number
        assert whole.card.classes[whole.labels[row]] == ("run" if number % 2 else "jump")
        assert whole.groups[row] == f"s{number // 3}"
    assert list(whole.split) == ["train"] * 12 + ["valid"] * 6 + ["test"] * 6


def test_several_groupings_are_kept_by_their_columns_and_the_first_stands(told):
    table = pd.read_csv("y.csv")
    table.assign(talk="talk " + (table.index // 6).astype(str)).to_csv("y.csv", index=False)
    groups = ["--group", "speaker", "--group", "y.csv:talk"]
    code, said = data_command("import", *BASE, "--id", "clip", *groups, "--split", "fold", "--out", "d")
    assert code == 0, said
    dataset = format.read(Path("d"))
    assert dataset.card.groupings == ("speaker", "talk")
    assert list(dataset.groupings["speaker"]) == list(dataset.groups)
    assert set(dataset.groupings["talk"]) == {f"talk {number}" for number in range(4)}
    assert list(dataset.select(np.array([5])).groupings["talk"]) == [dataset.groupings["talk"][5]]
    arms = {"student_only": {}, "kd": {}}
    study = {"data": {"path": "d", "student": ["video"], "split_by": "speaker", "infer_over": "talk"}, "arms": arms}
    assert study_file.parse(yaml.safe_dump(study), name="two").data.split.by == "speaker"
    study["data"]["infer_over"] = "talks"
    with pytest.raises(ValueError, match="no grouping 'talks': it has speaker, talk"):
        study_file.parse(yaml.safe_dump(study), name="two")


def test_ids_that_do_not_match_are_left_out_and_counted(told):
    pd.DataFrame({"clip": [*IDS[:20], "other", "another"], "label": ["a", "b"] * 11}).to_csv("few.csv", index=False)
    code, said = data_command("import", *BASE[:-1], "few.csv:label", "--id", "clip", "--out", "d")
    assert code == 0, said
    assert "4 ids are not in the label's file" in said
    assert "2 ids are in the label's file and in no modality" in said


def test_sequences_of_unequal_length_are_padded_and_flagged(told):
    code, said = data_command(
        "import", "--modality", "gait=gait.parquet:steps", "--label", "y.csv:label", "--id", "clip", "--out", "d"
    )
    assert code == 0, said
    dataset = format.read(Path("d"))
    assert dataset.card.modalities["gait"].shape == (4, 3)
    row = list(dataset.ids).index("clip 5")
    values = dataset.select(np.array([row])).modalities["gait"][0]
    assert values.tolist() == [[5, 0, 1], [5, 1, 1], [0, 0, 0], [0, 0, 0]]


def test_rows_match_by_order_only_where_no_file_names_them(told):
    np.save("x.npy", np.zeros((ROWS, 2), np.float32))
    code, said = data_command("import", "--modality", "x=x.npy", "--label", "y.csv:label", "--out", "d")
    assert code == 0, said
    code, said = data_command("import", "--modality", "x=x.npy", "--label", "y.csv:label", "--id", "clip", "--out", "e")
    assert code == 2
    assert "y.csv:label names them, x.npy does not" in said
    np.save("x.npy", np.zeros((ROWS - 1, 2), np.float32))
    assert (
        "23 in x.npy, 24 in y.csv:label"
        in data_command("import", "--modality", "x=x.npy", "--label", "y.csv:label", "--out", "e")[1]
    )


def broken(name: str) -> tuple[list[str], str]:
    """An import that must be refused, and the words it must be refused with."""
    if name == "truncated":
        Path("video.npz").write_bytes(Path("video.npz").read_bytes()[:60])
        return BASE, r"video\.npz:feats: the file is damaged"
    if name == "truncated array":
        np.save("x.npy", np.zeros((ROWS, 2), np.float32))
        Path("x.npy").write_bytes(Path("x.npy").read_bytes()[:-20])
        return ["--modality", "x=x.npy", *BASE[4:]], r"x\.npy: the file is damaged"
    if name == "array of objects":
        np.save("x.npy", np.array([None] * ROWS), allow_pickle=True)
        return ["--modality", "x=x.npy", *BASE[4:]], r"x\.npy: the file is damaged or not what its name says"
    if name == "id not utf-8":
        ids = np.array([id_.encode() for id_ in IDS])
        ids[5] = b"clip \xe9"
        np.savez("video.npz", feats=np.ones((ROWS, 3)), clip=ids)
        return BASE, r"video\.npz: an id is UTF-8 text, got b'clip \\xe9' in row 5, column clip"
    if name == "not a number":
        values = np.ones((ROWS, 3), np.float32)
        values[7, 2] = np.nan
        np.savez("video.npz", feats=values, clip=np.array(IDS))
        return BASE, r"video\.npz:feats: values are finite, got nan in row 7 \('clip 7'\), feature 2"
    if name == "ragged":
        pd.DataFrame({"clip": IDS, "vector": [[1.0]] * 20 + [[1.0, 2.0]] * 4}).to_parquet("audio.parquet")
        return (
            BASE,
            r"audio\.parquet:vector: samples of kind vector have one shape, got \([12],\) in row \d+ .* and \([12],\)",
        )
    if name == "not utf-8":
        content = Path("y.csv").read_bytes().splitlines(keepends=True)
        Path("y.csv").write_bytes(b"".join([*content[:4], b"clip \xe9,run,s1,train\n"]))
        return BASE, r"y\.csv: text is UTF-8, got the byte 0xe9 in row 3"
    if name == "class of one":
        pd.DataFrame({"clip": IDS, "label": ["a"] * 23 + ["b"]}).to_csv("y.csv", index=False)
        return BASE, r"y\.csv:label: a class has at least 2 samples, got 1 of 'b': row 23 \('clip 23'\)"
    if name == "empty part":
        table = pd.read_csv("y.csv")
        table.assign(fold="train").to_csv("y.csv", index=False)
        return [*BASE, "--split", "fold"], "got no test in column split"
    if name == "two of an id":
        pd.DataFrame({"clip": ["clip 1", *IDS[1:]], "label": ["a", "b"] * 12}).to_csv("y.csv", index=False)
        return BASE, r"y\.csv:label: ids are unique, got 'clip 1' in rows 0 and 1"
    if name == "outside the classes":
        return [*BASE, "--classes", "run,swim"], r"y\.csv:label: a label is one of run, swim, got 'jump' in the row"
    if name == "no such column":
        return [*BASE[:-1], "y.csv:lable"], "no column 'lable': it has clip, label, speaker, fold"
    if name == "no such file":
        return ["--modality", "video=nowhere.npz:feats", *BASE[4:]], "nowhere.npz: there is no such file"
    if name == "a video":
        Path("clip.mp4").write_bytes(b"")
        return ["--modality", "video=clip.mp4", *BASE[4:]], "reading .mp4 is not available"
    assert name == "an ambiguous array"
    np.savez("video.npz", feats=np.ones((ROWS, 3, 4)), clip=np.array(IDS))
    return BASE, "an image, a spectrogram or a sequence: say which by --kind"


FAULTS = (
    "truncated",
    "truncated array",
    "array of objects",
    "id not utf-8",
    "not a number",
    "ragged",
    "not utf-8",
    "class of one",
    "empty part",
    "two of an id",
    "outside the classes",
    "no such column",
    "no such file",
    "a video",
    "an ambiguous array",
)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_place_and_nothing_stays(told, fault):
    words, message = broken(fault)
    before = sorted(path.name for path in told.iterdir())
    code, said = data_command("import", *words, "--id", "clip", "--out", "d")
    assert code == 2
    assert re.search(message, said), said
    assert sorted(path.name for path in told.iterdir()) == before


def test_columns_side_by_side_are_a_vector_and_an_empty_row_is_missing(tmp_path):
    (tmp_path / "f.csv").write_text("clip,f0,f1,word\na,1,2,x\nb,,,y\nc,3,4,z\n")
    piece = files.read(f"{tmp_path}/f.csv:f*", id_column="clip")
    assert piece.ids == ["a", "b", "c"]
    assert [None if value is None else list(value) for value in piece.values] == [[1, 2], None, [3, 4]]
    with pytest.raises(ValueError, match="'x' in row 0, column word"):
        files.read(f"{tmp_path}/f.csv", id_column="clip")


def test_a_function_of_the_users_own_gives_arrays_by_id(tmp_path, monkeypatch):
    (tmp_path / "my_features.py").write_text("def load(): return {'a': [1.0], 'b': [2.0]}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert files.read("my_features:load", id_column=None) == Piece("my_features:load", ["a", "b"], [[1.0], [2.0]])


def test_numbers_are_classes_in_their_order():
    labels = Piece("y", None, [10.0, 9.0, 10.0, 9.0])
    joined = importing.join({"x": Piece("x", None, np.eye(4))}, labels)
    assert joined.dataset.card.classes == ("9", "10")
    assert list(joined.dataset.labels) == [1, 0, 1, 0]


def test_a_folder_of_sounds_becomes_spectrograms_of_one_length(tmp_path):
    rate = 8000
    for name, hertz, seconds in (("low", 300, 0.5), ("high", 2500, 0.3)):
        wave = np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)
        wavfile.write(tmp_path / f"{name}.wav", rate, (wave * 32000).astype(np.int16))
    ids, (high, low) = media.folder(tmp_path, Recipe(mels=32))
    assert ids == ["high", "low"]
    assert high.shape == low.shape == (32, 48)
    assert high[:, 5].argmax() > low[:, 5].argmax()
    assert high[:, -1].max() == pytest.approx(np.log(1e-6))


def test_a_triangle_peaks_at_its_own_mel():
    """HTK's scale: 1000 Hz is 1000 mel; of 7 bins over 0 to 8000 Hz (2840 mel) it is nearest the third corner, 1065."""
    weights = media.triangles(16000, 400, 7)
    assert weights[round(1000 / 40)].argmax() == 2
    assert 0 <= weights.min() <= weights.max() <= 1


def test_a_folder_of_images_becomes_arrays_in_minus_one_to_one(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.full((6, 4), 255, np.uint8)).save(tmp_path / "white.png")
    image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "black.png")
    ids, (black, white) = media.folder(tmp_path, Recipe())
    assert ids == ["black", "white"]
    assert (black.shape, black.max()) == ((3, 8, 8), -1)
    assert (white.shape, white.min()) == ((1, 6, 4), 1)
    _, resized = media.folder(tmp_path, Recipe(size=5))
    assert [one.shape[1:] for one in resized] == [(5, 5), (5, 5)]
    (tmp_path / "white.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"white\.png: the image is damaged"):
        list(media.folder(tmp_path, Recipe())[1])


def test_a_folder_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"a folder is one of images .* got none"):
        list(media.folder(tmp_path, Recipe())[1])


def test_describe_shows_what_is_there_and_warns_of_leaks(told):
    data_command("import", *BASE, "--id", "clip", "--split", "fold", "--group", "speaker", "--out", "d")
    code, said = data_command("describe", "d")
    assert code == 0, said
    assert "24 rows (train 12, valid 6, test 6), 2 classes" in said
    assert re.search(r"audio +vector +2 +95\.8 %", said)
    assert "10 seeds can show a difference of about" in said
    assert "warning" not in said
    table = pd.read_csv("y.csv").assign(speaker="everybody")
    table.to_csv("y.csv", index=False)
    np.savez("video.npz", feats=np.ones((ROWS, 3), np.float32), clip=np.array(IDS))
    data_command("import", *BASE, "--id", "clip", "--split", "fold", "--group", "speaker", "--out", "leaky")
    _, said = data_command("describe", "leaky", "--no-scores")
    said = " ".join(said.split())
    assert "1 groups are in train and in test, such as everybody: the score leaks" in said
    assert "6 test rows have a twin in train by video" in said
    assert "video has 3 features that are equal in all training rows" in said


def test_split_writes_a_stratified_or_a_grouped_split(told):
    data_command("import", *BASE, "--id", "clip", "--out", "d")
    code, said = data_command("split", "d", "--folds", "4", "--fold", "1", "--out", "quarter")
    assert code == 0, said
    quarter = format.read(Path("quarter"))
    assert (quarter.split == "test").sum() == 6
    assert quarter.labels[quarter.split == "test"].mean() == 0.5
    data_command("import", *BASE, "--id", "clip", "--group", "speaker", "--out", "grouped")
    code, said = data_command("split", "grouped", *(f"--leave-out=s{n}" for n in range(3, 8)), "--out", "without")
    assert code == 2
    assert "a group is never split: 4 parts need 4 groups, got 3" in said
    assert not Path("without").exists()


def test_a_split_by_group_leaves_that_group_out(told):
    table = pd.read_csv("y.csv")
    table.assign(speaker="s" + (table.index // 3).astype(str)).to_csv("y.csv", index=False)
    data_command("import", *BASE, "--id", "clip", "--group", "speaker", "--out", "d")
    code, said = data_command("split", "d", "--leave-out", "s3", "--leave-out", "s4", "--out", "without")
    assert code == 0, said
    dataset = format.read(Path("without"))
    assert set(dataset.groups[dataset.split == "test"]) == {"s3", "s4"}
    assert "a group is one of" in data_command("split", "d", "--leave-out", "s99", "--out", "e")[1]


def test_an_id_that_no_file_has_is_refused_and_not_joined_by_order(told):
    code, said = data_command("import", *BASE, "--id", "clp", "--out", "d")
    assert code == 2
    assert "--id names a column of the files, and none of them has 'clp'" in said
    assert not Path("d").exists()


def test_a_folder_of_sounds_is_spectrograms_without_being_told(told):
    Path("sounds").mkdir()
    rng = np.random.default_rng(0)
    for row in range(ROWS):
        wavfile.write(f"sounds/{IDS[row]}.wav", 8000, rng.normal(0, 0.1, 1600).astype(np.float32))
    code, said = data_command(
        "import", "--modality", "sound=sounds", "--label", "y.csv:label", "--id", "clip", "--out", "d"
    )
    assert code == 0, said
    assert format.describe(Path("d")).card.modalities["sound"].kind == "spectrogram"


def test_a_study_starts_from_an_imported_folder(told):
    assert data_command("import", *BASE, "--id", "clip", "--split", "fold", "--out", "d")[0] == 0
    done = CliRunner().invoke(app, ["init", "d", "--student", "video"])
    assert done.exit_code == 0, done.output
    assert 'path: "d"' in done.output
    assert data_command("describe", "no/such")[1].strip() == "no/such: there is no such folder"
