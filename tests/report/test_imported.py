"""Runs that were made elsewhere: the same verdicts, mistakes in the tables named, and nothing claimed to be
verified."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, f1_score, log_loss, recall_score

from kdsweep.report import build
from kdsweep.report.facts import imported as elsewhere
from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import headline
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
        (lambda runs: runs.assign(value=["80%", *["0.8"] * (len(runs) - 1)]), "all have a % or none has"),
        (lambda runs: runs.assign(value=[80.0, *[0.8] * (len(runs) - 1)]), "all shares, from 0 to 1, or all per cent"),
        (lambda runs: runs.assign(value=runs["value"] * -1), "accuracy lies between 0 and 1"),
        (lambda runs: runs.assign(value="0,81"), "a value is a number such as 0.874"),
        (lambda runs: runs.assign(value="0.81 ± 0.01"), "a value is a number such as 0.874"),
        (lambda runs: runs.assign(seed=runs["seed"] - 0.5), "seeds and folds are whole numbers, got '0.5'"),
        (lambda runs: runs.assign(arm=["KD", *runs["arm"][1:]]), "capital letters"),
        (lambda runs: runs.assign(metric=["uar", *runs["metric"][1:]])[::5], "every arm has values of the metric"),
        (lambda runs: runs.assign(fold=1), "arms, seeds and folds are written alike in both tables"),
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
        (lambda said: said.assign(group=said["group"].where(said["sample"] != "s0000")), "s0000 without"),
        (lambda said: said.assign(sample=said["arm"] + said["sample"]), "and 0 that all runs share"),
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


def test_per_cent_are_told_from_shares_by_their_column_and_said(files):
    runs = pd.read_csv(files[0])
    before = read(files).test()
    for written in (100 * runs["value"], (100 * runs["value"]).map("{:.1f} %".format)):
        runs.assign(value=written).to_csv(files[0], index=False)
        there = read(files)
        assert there.test().to_dict() == pytest.approx(before.to_dict(), abs=5e-3)
        (note,) = [note for what, _, note in there.study.checks if what.startswith("shares")]
        assert note == "accuracy is read as per cent"


@pytest.mark.parametrize("name", ["None", "NaN", "null", "NA", "01", "True", " kd "])
def test_any_word_is_a_name(files, tmp_path, name):
    runs, said = pd.read_csv(files[0]), pd.read_parquet(files[1]).drop(columns="group")
    runs.replace({"arm": {"kd": name}}).to_csv(files[0], index=False)
    classes = {0: name, 1: "1", 2: "2", 3: ""}
    renamed = said.assign(
        arm=said["arm"].replace("kd", name),
        label=said["label"].map(classes),
        prediction=said["prediction"].map(classes),
    )
    renamed.to_csv(tmp_path / "said.csv", index=False)
    there = elsewhere.read(files[0], tmp_path / "said.csv")
    assert there.arms == ["student_only", name.strip(), "amid"]
    assert set(there.study.data.classes) == {name.strip(), "1", "2", "(empty)"}
    assert confirmed(there, name.strip()).count == "5"


def test_arms_tested_on_other_samples_are_compared_on_the_shared_ones(files):
    said = pd.read_parquet(files[1])
    left = said[(said["arm"] != "kd") | (said["sample"] < "s0100")]
    left.to_parquet(files[1])
    runs = pd.read_csv(files[0])
    own = left.assign(right=left["label"] == left["prediction"]).groupby(["arm", "seed"])["right"].mean()
    runs["value"] = [own[arm, seed] for arm, seed in zip(runs["arm"], runs["seed"], strict=True)]
    runs.to_csv(files[0], index=False)
    there = read(files)
    shared = said[said["sample"] < "s0100"]
    expected = (shared["label"] == shared["prediction"]).groupby(shared["arm"]).mean()
    for arm in ("kd", "amid"):
        assert there.test()[list(confirmed(there, arm).finished.values())].mean() == pytest.approx(expected[arm])
    (note,) = [note for what, _, note in there.study.checks if what.startswith("every run was tested")]
    assert note.startswith("tested: amid on 400, kd on 100, student_only on 400; scored anew and compared on the 100")
    assert there.study.data.test == 100
    assert f"Not so that every run was tested on the same samples: {note}." in headline.answer(there).cautions


def test_folds_without_predictions_get_an_interval_over_folds(files):
    runs = pd.read_csv(files[0])
    pd.concat(runs.assign(fold=fold, value=runs["value"] - fold / 100) for fold in (1, 2, 3)).to_csv(
        files[0], index=False
    )
    one = against_baselines(elsewhere.read(files[0]))["amid", "student_only"]
    assert (one.comparison.over, one.comparison.n) == ("folds", 3)


def made_up(metric: str, *, seeds: int = 3, samples: int = 40) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two arms, the second the better one, whose scores are worked out here from their predictions."""
    rng = np.random.default_rng(0)
    runs, said = [], []
    for arm, noise in (("kd", 0.9), ("ours", 0.5)):
        for seed in range(1, seeds + 1):
            logits = noise * rng.normal(size=(samples, 3))
            labels = np.random.default_rng(1).integers(0, 3, samples)
            flags, target = np.eye(3)[labels] + np.eye(3)[(labels + 1) % 3], np.arange(samples) / samples
            logits = logits + np.eye(3)[labels]
            table = {"label": labels, "prediction": logits.argmax(1)}
            match metric:
                case "mae" | "rmse" | "pearson" | "ccc":
                    guess = target + noise * rng.normal(size=samples)
                    table = {"label": target, "prediction": guess}
                    error = guess - target
                    value = {
                        "mae": np.abs(error).mean(),
                        "rmse": np.sqrt((error**2).mean()),
                        "pearson": np.corrcoef(guess, target)[0, 1],
                        "ccc": 2
                        * np.cov(guess, target, ddof=0)[0, 1]
                        / (guess.var() + target.var() + error.mean() ** 2),
                    }[metric]
                case "micro_f1" | "macro_ap":
                    logits = logits + flags - 0.5
                    table = {"label": flags, "prediction": (logits > 0).astype(float), "logits": logits}
                    table = {column: [" ".join(map(str, row)) for row in rows] for column, rows in table.items()}
                    value = (
                        f1_score(flags, logits > 0, average="micro")
                        if metric == "micro_f1"
                        else average_precision_score(flags, logits)
                    )
                case "recall_at_1":
                    place = rng.integers(0, 4, samples)
                    table, value = {**table, "gallery_rank": place}, (place == 0).mean()
                case "log_loss":
                    table["logits"] = [str(row.tolist()) for row in logits]
                    value = log_loss(labels, np.exp(logits) / np.exp(logits).sum(1, keepdims=True))
                case "uar" | "macro_f1":
                    score = {"uar": recall_score, "macro_f1": f1_score}[metric]
                    value = score(labels, table["prediction"], average="macro")
            key = {"arm": arm, "seed": seed}
            runs.append({**key, "metric": metric, "value": value})
            said.append(pd.DataFrame({**key, "sample": [f"s{i}" for i in range(samples)], **table}))
    return pd.DataFrame(runs), pd.concat(said)


METRICS = ["mae", "rmse", "pearson", "ccc", "micro_f1", "macro_ap", "recall_at_1", "log_loss", "uar", "macro_f1"]


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_is_compared_and_its_scores_are_checked(metric, tmp_path):
    runs, said = made_up(metric)
    files = tmp_path / "runs.csv", tmp_path / "said.csv"
    runs.to_csv(files[0], index=False)
    said.to_csv(files[1], index=False)
    there = elsewhere.read(*files, metric=metric)
    (one,) = against_baselines(there).values()
    assert one.comparison.over == "seeds × samples"
    means = runs.groupby("arm")["value"].mean()
    assert one.comparison.interval.mean == pytest.approx(means["ours"] - means["kd"])
    assert [state for what, state, _ in there.study.checks if what.startswith("scores")] == ["yes"]
    runs.assign(value=0.9 * runs["value"]).to_csv(files[0], index=False)
    with pytest.raises(ValueError, match="not of the same run"):
        elsewhere.read(*files, metric=metric)


@pytest.mark.parametrize("metric", ["mae", "micro_f1", "recall_at_1"])
def test_a_page_of_any_task_has_no_broken_section(metric, tmp_path, recwarn):
    runs, said = made_up(metric)
    runs.to_csv(tmp_path / "runs.csv", index=False)
    said.to_csv(tmp_path / "said.csv", index=False)
    page = build(elsewhere.read(tmp_path / "runs.csv", tmp_path / "said.csv", metric=metric), tmp_path / "out").path
    assert "could not be drawn" not in page.read_text()
    assert not [str(warning.message) for warning in recwarn if "failed" in str(warning.message)]


def test_a_metric_whose_column_is_not_there_gets_no_verdict_and_says_why(tmp_path):
    runs, said = made_up("log_loss")
    runs.to_csv(tmp_path / "runs.csv", index=False)
    said.drop(columns="logits").to_csv(tmp_path / "said.csv", index=False)
    there = elsewhere.read(tmp_path / "runs.csv", tmp_path / "said.csv", metric="log_loss")
    (one,) = against_baselines(there).values()
    assert one.verdict.word == "no verdict"
    (note,) = [note for what, _, note in there.study.checks if what.startswith("scores")]
    assert note == "log_loss is worked out from logits, which they lack: no verdicts"
