"""What a report reads: a study and the tables of its trials. Where they come from is nobody's business here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from kdsweep.report.facts.described import Described
from kdsweep.report.facts.ledger import NOTHING_SHOWN, History
from kdsweep.report.statistics import scores
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.base import Metric, Task

if TYPE_CHECKING:
    from kdsweep.report.facts.compared_studies import ComparedStudies
    from kdsweep.values.condition import Condition

INDEX = [
    *("trial", "stage", "arm", "row", "retuned", "control", "trains"),
    *("repeat", "seed", "fold", "generation", "number", "wanted"),
]
TRIALS = [
    *("trial", "state", "method", "choices", "dropped", "teacher", "distils_from", "seed", "fold", "epochs", "seconds"),
    *("error", "papers", "version", "commit", "host", "device", "libraries", "start", "end"),
]
CURVES = ["trial", "epoch", "metric", "value"]


# Of a trial, what it said of every test sample; None where that was not kept.
Predicted = Callable[[str], pd.DataFrame | None]


class Said(NamedTuple):
    """What students came to under a condition of deployment: metrics on test, as curves, and predictions."""

    curves: pd.DataFrame
    predictions: Predicted


class Fitted(NamedTuple):
    """A model of scikit-learn on the student's rows.

    Attributes:
        label: as a table names it.
        scores: on test by metric, means over folds; empty where it could not be fitted.
        folds: so many there are.
        notes: what a reader has to know of how it was fitted, or why it was not.
    """

    label: str
    scores: Mapping[str, float]
    folds: int
    notes: tuple[str, ...] = ()


def _nothing(condition: str) -> Said:
    return Said(pd.DataFrame(columns=CURVES), lambda trial: None)


@dataclass(frozen=True, eq=False)
class Runs:
    """Everything that was asked for and everything that came back.

    Attributes:
        study: what was asked for.
        index: one row per role of a trial, every role ever asked for; `wanted` marks those asked for now.
        trials: one row per trial that has a result; `teacher` holds the trials it learned from, comma between them, and
            `auxiliaries` the auxiliary models that it read.
        curves: trial, epoch (from 1), metric, value; shares in [0, 1].
        predictions: of a trial, every test sample's label, prediction, rank of the label and logits; None if not kept.
        history: earlier showings of the same test rows, and what of the claim was known then.
        readings: by a condition's id what the students said under it.
        fitted: models of scikit-learn on the rows that the student saw; reference rows that no arm trains.
        compared: the studies that the page puts beside each other; None on the page of one.
    """

    study: Described
    index: pd.DataFrame
    trials: pd.DataFrame
    curves: pd.DataFrame
    predictions: Predicted
    history: History = NOTHING_SHOWN
    compared: ComparedStudies | None = None
    readings: Callable[[str], Said] = _nothing
    fitted: tuple[Fitted, ...] = ()

    def under(self, condition: Condition) -> Runs:
        """The same runs as their students meet the test part under a condition of deployment."""
        said = self.readings(condition.id)
        return replace(self, curves=said.curves, predictions=said.predictions)

    @property
    def task(self) -> Task:
        return tasks.load(self.study.task)

    @property
    def metric(self) -> Metric:
        return self.task.metrics[self.study.metric]

    def __post_init__(self) -> None:
        # The tables of a study that has only begun may lack every column.
        for name, columns in (("index", INDEX), ("trials", TRIALS), ("curves", CURVES)):
            frame = getattr(self, name)
            if frame.empty:
                object.__setattr__(self, name, frame.reindex(columns=columns))

    @cached_property
    def arms(self) -> list[str]:
        """The arms that share the equal budget, in the study's order."""
        return [name for name, arm in self.study.arms.items() if not arm.reference]

    @cached_property
    def references(self) -> list[str]:
        """Arms that only show models which are trained anyway."""
        return [name for name, arm in self.study.arms.items() if arm.reference]

    @cached_property
    def baselines(self) -> list[str]:
        """What the arms are compared with: the claim's, else the arms without a teacher, else the first arm."""
        if self.study.claim:
            return [arm for arm in self.study.claim.against if arm in self.arms]
        alone = [arm for arm in self.arms if self.study.arms[arm].method == "student_only"]
        return alone or self.arms[:1]

    @cached_property
    def trains(self) -> dict[str, str]:
        """By trial what its network is: "student", "teacher", or the modality of an auxiliary model."""
        return dict(zip(self.index["trial"], self.index["trains"], strict=True))

    def label(self, arm: str) -> str:
        return self.study.arms[arm].label if arm in self.study.arms else arm

    @cached_property
    def joined(self) -> pd.DataFrame:
        """Every role with its trial's fields; without a result `state` is "waiting", or, in a complete study, "failed".

        A complete study has nothing left to run: what has no result then could not run, because a model that it reads
        failed.
        """
        # Pairing reads the role's seed and fold: a teacher that serves all seeds has one of its own.
        fields = self.trials.drop(columns=["seed", "fold"], errors="ignore")
        whole = self.index.merge(fields, on="trial", how="left")
        whole["state"] = whole["state"].astype(object).fillna("failed" if self.study.complete else "waiting")
        return whole

    @cached_property
    def roles(self) -> pd.DataFrame:
        """The roles asked for now."""
        return self.joined[self.joined["wanted"].astype(bool)]

    def select(
        self,
        stage: str,
        arm: str | None = None,
        *,
        row: str | None = "",
        control: str | None = "",
        trains: str | None = "student",
        retuned: bool | None = None,
    ) -> pd.DataFrame:
        """The roles of a stage; None takes all there are."""
        wishes = {"arm": arm, "row": row, "control": control, "trains": trains, "retuned": retuned}
        key = (stage, *wishes.values())
        # Every section asks for the same few: with ten thousand trials each answer takes a while.
        if key not in self._selected:
            roles = self._by_stage.get(stage, self.roles.iloc[:0])
            for column, wish in wishes.items():
                if wish is not None:
                    roles = roles[roles[column] == wish]
            self._selected[key] = roles
        return self._selected[key]

    @cached_property
    def _selected(self) -> dict[tuple[object, ...], pd.DataFrame]:
        return {}

    @cached_property
    def _by_stage(self) -> dict[str, pd.DataFrame]:
        return {str(stage): roles for stage, roles in self.roles.groupby("stage")}

    def class_name(self, label: int) -> str:
        names = self.study.data.classes
        return names[label] if label < len(names) else str(label)

    def references_of(self, arm: str) -> dict[str, pd.DataFrame]:
        """A reference arm's runs, by the words for them: one entry a model, each trained for confirm's seeds."""
        as_arm = self.select("confirm", arm, trains=None)
        if as_arm.empty:
            wanted = self.study.arms[arm].method == "teacher"
            models = self.select("teacher", None, trains=None)
            models = models[(models["trains"] == "teacher") == wanted]
            as_arm = models[models["trial"].isin(self.test().index)]
        kinds = sorted(set(as_arm["trains"]))
        return {
            self.label(arm) if len(kinds) == 1 else f"{self.label(arm)}: {kind}": as_arm[as_arm["trains"] == kind]
            for kind in kinds
        }

    def test(self, metric: str = "") -> pd.Series:
        """Score on test by trial, at the epoch that counts."""
        return self.last(f"test/{metric or self.study.metric}")

    @cached_property
    def valid(self) -> pd.Series:
        """Score on validation by trial, at the epoch that counts so far: `select` says which."""
        name = f"valid/{self.study.metric}"
        if self.study.select == "last":
            return self.last(name)
        by_trial = self.curve(name).groupby("trial")["value"]
        return by_trial.max() if self.study.maximize else by_trial.min()

    def last(self, name: str) -> pd.Series:
        """A curve's last value, by trial."""
        if name not in self._last:
            curve = self.curve(name).sort_values("epoch", kind="stable")
            self._last[name] = curve.groupby("trial")["value"].last()
        return self._last[name]

    def curve(self, name: str) -> pd.DataFrame:
        return self._curves.get(name, self.curves.iloc[:0])

    def names(self, prefix: str) -> list[str]:
        """Names of the curves that begin like this."""
        return sorted(name for name in self._curves if name.startswith(prefix))

    @cached_property
    def test_metrics(self) -> list[str]:
        """Metrics that were read on test and are known here, the study's own first."""
        metrics = [name.removeprefix("test/") for name in self._curves if name.startswith("test/")]
        own = self.study.metric
        return sorted((name for name in metrics if name in tasks.METRICS), key=lambda name: (name != own, name))

    @cached_property
    def _curves(self) -> dict[str, pd.DataFrame]:
        return {str(name): curve for name, curve in self.curves.groupby("metric", observed=True)}

    @cached_property
    def _last(self) -> dict[str, pd.Series]:
        return {}

    @cached_property
    def look(self) -> int:
        """How often results on these test rows were shown, this report included; the same thing shown again is one."""
        return self.history.look

    @property
    def next_look(self) -> int:
        """Which showing one with more seeds would be."""
        return self.history.next_look

    @cached_property
    def stated_before(self) -> bool:
        """Whether there is a claim, and it was set before any of these test results was shown."""
        return self.study.claim is not None and not self.history.afterwards

    @property
    def one_fold(self) -> str:
        """Where settings were chosen for all folds on the first one's data: every table has to say so."""
        first = self.study.data.search_fold == "first" and self.study.data.folds > 1
        return "settings chosen on fold 1" if first else ""

    @property
    def selection(self) -> str:
        """Which epoch counts, in words."""
        words = {"last": "the last epoch", "best_valid": "the epoch best on validation"}
        return words.get(self.study.select, "a rule that is not verified")

    @property
    def grouped(self) -> bool:
        """Whether a new sample is a new group: a speaker, a subject, a recording."""
        return self.study.data.test_groups is not None

    @cached_property
    def units(self) -> Callable[[str], pd.Series | None]:
        """Of a trial: one value of the metric for every test unit, read once however many tables ask."""

        @cache
        def read(trial: str) -> pd.Series | None:
            predictions = self.predictions(trial)
            if predictions is None or predictions.empty:
                return None
            return scores.units(predictions, self.metric, grouped=self.grouped)

        return read

    @property
    def digits(self) -> int:
        """Decimals of a printed score: finer than one test sample, and no finer than that."""
        if self.metric.scale == 1:
            return 3
        return 1 if self.study.data.test < 1000 else 2

    def printed(self, value: float) -> float:
        """From the stored value to the metric's unit."""
        return value * self.metric.scale
