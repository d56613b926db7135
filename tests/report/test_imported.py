"""Runs that were made elsewhere: the same verdicts, mistakes in the tables named, and nothing claimed to be
verified."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from kdsweep.report import build
from kdsweep.report.facts import imported as elsewhere
from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.compare import compare, confirmed
from kdsweep.report.statistics.verdicts import against_baselines
from tests.helpers import report_fakes
from tests.helpers.commands import kdsweep, one_line


def tables(made: Runs) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A study's confirm runs as somebody else would write them down."""
    runs, predictions = [], []
    for arm in made.arms:
        for (_, fold, seed), trial in confirmed(made, arm).finished.items():
            key = {"arm": arm, "seed": seed, "fold": fold}
            runs.append({**key, "metric": "accuracy", "value": made.test()[trial]})
            predictions.append(made.predictions(trial).drop(columns=["rank", "logits"]).assign(**key))
    return pd.DataFrame(runs), pd.concat(predictions)


@pytest.fixture(scope="module")
def made() -> Runs:
    return report_fakes.make(seeds=5, search=2, groups=40)


@pytest.fixture
def files(made, tmp_path) -> tuple[Path, Path]:
    runs, predictions = tables(made)
    runs.to_csv(tmp_path / "runs.csv", index=False)
    predictions.to_parquet(tmp_path / "preds.parquet")
    return tmp_path / "runs.csv", tmp_path / "preds.parquet"


def read(files: tuple[Path, Path], **options) -> Runs:
    return elsewhere.read(*files, claim="amid", against=["student_only", "kd"], equivalent=3.0, **options)


def test_the_same_runs_get_the_same_intervals_and_verdicts(made, files):
    there = read(files)
    for pair in [("amid", "kd"), ("kd", "student_only")]:
        ours, theirs = (compare(runs, *(confirmed(runs, arm) for arm in pair)).interval for runs in (made, there))
        assert theirs.mean == pytest.approx(ours.mean)
        assert theirs.error == pytest.approx(ours.error)
    words = [{pair: one.verdict.word for pair, one in against_baselines(runs).items()} for runs in (made, there)]
    assert words[0] == words[1]


def test_what_cannot_be_checked_is_marked(files, tmp_path):
    page = build(read(files), tmp_path / "out").path.read_text()
    assert page.count("not verified") >= 8
    assert "Tuning budget" not in page
    assert "equal tuning budget" not in page
    state = {what: said for what, said, _ in read(files).study.checks}
    assert state["scores are those of the predictions"] == "yes"
    assert state["every arm had the same tuning budget"] == "not verified"


def test_without_predictions_there_is_an_interval_over_seeds_and_no_verdict(files):
    there = elsewhere.read(files[0], claim="amid", against=["kd"])
    one = against_baselines(there)["amid", "kd"]
    assert one.comparison.over == "seeds only"
    assert one.verdict.word == "no verdict"


def test_class_names_are_kept(files, tmp_path):
    predictions = pd.read_parquet(files[1])
    for column in ("label", "prediction"):
        predictions[column] = "class " + predictions[column].astype(str)
    predictions.to_parquet(tmp_path / "named.parquet")
    assert read((files[0], tmp_path / "named.parquet")).study.data.classes == tuple(f"class {i}" for i in range(4))


def test_numbered_classes_keep_their_order(files, tmp_path):
    predictions = pd.read_parquet(files[1])
    predictions["label"], predictions["prediction"] = 5 * predictions["label"], 5 * predictions["prediction"]
    predictions.to_parquet(tmp_path / "numbered.parquet")
    assert read((files[0], tmp_path / "numbered.parquet")).study.data.classes == ("0", "5", "10", "15")


def test_a_run_without_a_value_has_failed(files):
    runs = pd.read_csv(files[0])
    runs.loc[runs["arm"].eq("amid") & runs["seed"].eq(2), "value"] = None
    runs.to_csv(files[0], index=False)
    there = read(files)
    assert confirmed(there, "amid").count == "4; 1 of 5 failed"
    assert against_baselines(there)["amid", "kd"].verdict.word != "better"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda runs: runs.drop(columns="seed"), "seed is not there"),
        (lambda runs: pd.concat([runs, runs.head(1)]), "one value a metric, got two for student_only, seed 1"),
        (lambda runs: runs.assign(value=runs["value"] * 100), "shares are from 0 to 1"),
        (lambda runs: runs.assign(value=runs["value"] / 2), "they are not of the same run"),
        (lambda runs: runs.assign(metric="acuracy"), "a metric is one of .*accuracy"),
        (lambda runs: runs.assign(seed="first"), "seeds and folds are whole numbers"),
        (lambda runs: runs.assign(arm=runs["arm"].replace("amid", "ours")), "a claim is about arms of the table"),
        (lambda runs: runs.head(0), "a row for each run"),
    ],
)
def test_a_mistake_in_the_runs_is_named(files, change, words):
    change(pd.read_csv(files[0])).to_csv(files[0], index=False)
    with pytest.raises(ValueError, match=words):
        read(files)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda said: pd.concat([said, said.head(1)]), "predicts each sample once"),
        (lambda said: said.assign(label=range(len(said))), "one label in all runs"),
        (lambda said: said.drop(columns="prediction"), "prediction is not there"),
    ],
)
def test_a_mistake_in_the_predictions_is_named(files, change, words):
    change(pd.read_parquet(files[1])).to_parquet(files[1])
    with pytest.raises(ValueError, match=words):
        read(files)


def test_the_command_prints_the_answer_and_what_is_not_verified(files, tmp_path):
    claim = ["--claim", "amid", "--against", "student_only"]
    answer = kdsweep("report", "--runs", files[0], "--predictions", files[1], *claim, "--reports", tmp_path / "out")
    assert answer.exit_code == 0, answer.output
    assert "amid is better than student_only in accuracy" in one_line(answer.output)
    assert "not verified" in answer.output
    assert (tmp_path / "out" / "runs" / "index.html").exists()


def test_a_table_that_is_not_there_is_one_clear_line(files, tmp_path):
    for more in (
        ["--runs", tmp_path / "none.csv"],
        ["--runs", files[0], "--claim", "amid"],
        ["--predictions", files[1]],
    ):
        answer = kdsweep("report", *more, "--reports", tmp_path)
        assert answer.exit_code == 2
        assert len(answer.output.strip().splitlines()) == 1
