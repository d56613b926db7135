"""The page about a dataset, and splits of one's own: what is shown is what is there, and no name runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdsweep.data import split as splitting
from kdsweep.data.dataset import Dataset
from kdsweep.data.disk import format
from kdsweep.data.look import audit, linear
from kdsweep.report.render.data_page import Findings, headline, render
from kdsweep.tasks import registry as tasks
from kdsweep.values.card import Modality
from kdsweep.values.study import Data
from tests.helpers.commands import data_command
from tests.helpers.datasets import blobs
from tests.helpers.report_fakes import elements

ASKED = Data(path=".", student=("seen",))
NASTY = "<img src=x onerror=alert(1)>{{7*7}}"


def findings(dataset: Dataset) -> Findings:
    found = audit.audit(dataset, ASKED.split)
    scores = list(linear.scores(dataset, ASKED.split))
    return Findings("mine", dataset.card, found, scores, tasks.load(dataset.card.task).linear.measure)


def test_the_page_shows_the_numbers_and_needs_no_network():
    found = findings(blobs(groups=20))
    page = render(found)
    assert page == render(found)
    assert "120 rows (train 72, valid 24, test 24)" in re.sub(r"\s+", " ", page)
    for name, attributes in elements(page):
        assert not {"src", "href"} & {
            key for key, value in attributes.items() if value and not value.startswith("#")
        }, name
    figures = [
        json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page, re.DOTALL)
    ]
    scores, classes = figures
    assert np.allclose(scores["data"][0]["x"], [100 * score.value for score in found.scores], rtol=1e-5)
    assert [sum(bar["y"]) for bar in classes["data"]] == [72, 24, 24]


def scored(**shares: float) -> Findings:
    """Findings of a dataset without a fault, with these scores of linear models."""
    found = findings(blobs())
    assert not found.audit.warnings
    names = {"both": ("seen", "hidden")}
    return replace(found, scores=[linear.Score(names.get(name, (name,)), one, 24) for name, one in shares.items()])


def test_where_one_modality_does_as_well_as_all_the_headline_says_there_is_nothing_to_distil():
    found = scored(seen=0.9502, hidden=0.4, both=0.9504)
    nothing = "nothing to distil into a student that sees seen (95.0 %): all modalities give 95.0 %"
    assert nothing in headline(found)
    assert f"<h1>{headline(found)}</h1>" in render(found)


def test_the_headline_of_one_modality_says_there_is_nothing_to_distil():
    dataset = blobs()
    card = replace(dataset.card, modalities={"seen": dataset.card.modalities["seen"]})
    one = replace(dataset, card=card, modalities={"seen": dataset.modalities["seen"]})
    assert headline(findings(one)).startswith("Nothing to distil")


def test_only_data_with_something_to_distil_are_in_nobodys_way():
    assert headline(scored(seen=0.7, hidden=0.4, both=0.9)) == "Nothing stands in the way of a study"
    assert "was not looked at" in headline(scored())


def test_no_name_of_a_user_runs():
    dataset = blobs()
    card = replace(
        dataset.card,
        classes=(NASTY, f"</script>{NASTY}", "c"),
        modalities={NASTY: Modality("vector", (3,)), "hidden": Modality("vector", (2,))},
        source=NASTY,
    )
    renamed = {NASTY: dataset.modalities["seen"], "hidden": dataset.modalities["hidden"]}
    present = {NASTY: dataset.present["seen"], "hidden": dataset.present["hidden"]}
    page = render(replace(findings(replace(dataset, card=card, modalities=renamed, present=present)), name=NASTY))
    assert not [tag for tag, _ in elements(page) if tag in ("img", "iframe", "object")]
    assert "49" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL).split("<main")[1].split("</header>")[0]
    assert "unsafe-inline" not in page.split("style-src")[0]


def test_describe_writes_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    format.write(blobs(groups=20), Path("d"))
    code, said = data_command("describe", "d", "--html", "d.html")
    assert code == 0, said
    assert "wrote d.html" in said
    assert "nothing to distil" in said.splitlines()[0]
    assert "<title>d: what the data hold</title>" in Path("d.html").read_text()


def test_the_folder_of_a_page_or_a_table_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    format.write(blobs(), Path("d"))
    for words in (["describe", "d", "--html", "new/pages/d.html"], ["split", "d", "--out", "new/tables/folds.csv"]):
        code, said = data_command(*words)
        assert code == 0, said
        assert Path(words[-1]).is_file()


def test_a_page_or_a_table_that_cannot_be_written_is_one_clear_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    format.write(blobs(), Path("d"))
    Path("file").touch()
    for words in (["describe", "d", "--html", "file/d.html"], ["split", "d", "--out", "file/folds.csv"]):
        code, said = data_command(*words)
        assert code == 2
        assert f"{words[-1]} cannot be written: " in said
        assert "Errno" not in said


def test_a_linear_model_scores_what_it_should():
    """A modality that holds the label scores everything, one that holds noise scores chance, by any task's measure."""
    rng = np.random.default_rng(0)
    base = blobs(240)
    held = np.eye(3, dtype=np.float32)[base.labels]
    noise = rng.normal(size=(240, 2)).astype(np.float32)
    labels = {"classification": base.labels, "multilabel": held, "regression": held[:, :2] @ np.float32([[1], [3]])}
    for task, told in labels.items():
        names = base.card.classes if task != "regression" else ("one",)
        dataset = replace(
            base,
            card=replace(base.card, task=task, classes=names),
            labels=told,
            modalities={"seen": held, "hidden": noise},
        )
        seen, hidden, both = (score.value for score in linear.scores(dataset, ASKED.split))
        assert seen > 0.97
        assert both > 0.9
        assert hidden < 0.6


def test_linear_models_do_not_look_at_test():
    dataset = blobs(240)
    test = dataset.parts(ASKED.split)["test"]
    before = list(linear.scores(dataset, ASKED.split))
    altered = {name: values.copy() for name, values in dataset.modalities.items()}
    for values in altered.values():
        values[test] += 100
    assert list(linear.scores(replace(dataset, modalities=altered), ASKED.split)) == before
    assert before[0].samples == len(dataset.parts(ASKED.split)["valid"])


def test_a_csv_of_folds_is_what_an_import_reads(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = blobs(groups=20)
    format.write(dataset, Path("d"))
    code, said = data_command("split", "d", "--folds", "3", "--out", "folds.csv", "--id", "clip")
    assert code == 0, said
    table = pd.read_csv("folds.csv", dtype=str)
    assert list(table) == ["clip", "fold_0", "fold_1", "fold_2"]
    assert ((table[["fold_0", "fold_1", "fold_2"]] == "test").sum(axis=1) == 1).all()
    np.savez("x.npz", x=dataset.modalities["seen"], clip=dataset.ids)
    pd.DataFrame({"clip": dataset.ids, "y": dataset.labels}).to_csv("y.csv", index=False)
    words = [
        "--modality",
        "x=x.npz:x",
        "--label",
        "y.csv:y",
        "--id",
        "clip",
        "--split",
        "folds.csv:fold_1",
        "--out",
        "e",
    ]
    code, said = data_command("import", *words)
    assert code == 0, said
    back = format.read(Path("e"))
    tested = set(table["clip"][table["fold_1"] == "test"])
    assert set(back.ids[back.split == "test"]) == tested


def test_a_csv_of_folds_calls_the_id_what_the_imported_files_call_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = blobs()
    np.savez("x.npz", x=dataset.modalities["seen"], clip=dataset.ids)
    pd.DataFrame({"clip": dataset.ids, "y": dataset.labels}).to_csv("y.csv", index=False)
    words = ["import", "--modality", "x=x.npz:x", "--label", "y.csv:y", "--id", "clip"]
    for told in ([*words, "--out", "d"], ["split", "d", "--out", "e"], ["split", "e", "--out", "folds.csv"]):
        code, said = data_command(*told)
        assert code == 0, said
    assert next(iter(pd.read_csv("folds.csv"))) == "clip"
    code, said = data_command(*words, "--split", "folds.csv:fold_0", "--out", "f")
    assert code == 0, said


def test_every_group_tests_alone_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dataset = blobs(groups=6)
    format.write(dataset, Path("d"))
    code, said = data_command("split", "d", "--every-group", "--out", "folds.csv")
    assert code == 0, said
    table = pd.read_csv("folds.csv", index_col="id").loc[dataset.ids]
    assert list(table) == [f"without_group {number}" for number in range(6)]
    for number, column in enumerate(table):
        assert set(dataset.groups[table[column] == "test"]) == {f"group {number}"}
        assert not set(dataset.groups[table[column] == "train"]) & set(dataset.groups[table[column] == "valid"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--every-group", "--out", "e"], "--every-group writes a FILE.csv"),
        (["--fold", "1", "--out", "e.csv"], "--fold picks one for a folder"),
        (["--out", "d"], "d exists"),
        (["--fold", "7", "--out", "e"], "a fold is one of 0 to 4, got 7"),
    ],
)
def test_a_split_that_cannot_be_is_refused(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    format.write(blobs(), Path("d"))
    code, said = data_command("split", "d", *words)
    assert code == 2
    assert message in said
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_groups_are_asked_for_where_they_are_needed():
    with pytest.raises(ValueError, match="needs data that names groups"):
        splitting.leave_one_out(blobs(), seed=0)
