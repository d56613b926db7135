"""Whether a comparison is healthy, said before its numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kdsweep.report.facts.runs import Fitted, Runs
from kdsweep.report.sections import ablation, controls, headline
from kdsweep.report.statistics.health import cautions
from kdsweep.values.space import Float
from kdsweep.values.study import Arm
from tests.helpers import report_fakes


@pytest.fixture(scope="module")
def made() -> Runs:
    return report_fakes.make(seeds=5, search=4, samples=200, skills={"amid": 4.0})


def curved(made: Runs, arm: str, score: Callable[[int], float], **study: object) -> Runs:
    """The runs, where an arm's validation score follows this curve."""
    curves = made.curves.copy()
    mine = curves["trial"].str.startswith(f"{arm}-confirm") & (curves["metric"] == "valid/accuracy")
    curves.loc[mine, "value"] = [score(epoch) for epoch in curves.loc[mine, "epoch"]]
    return replace(made, study=replace(made.study, **study), curves=curves)  # type: ignore[arg-type]


def flat(made: Runs, **study: object) -> Runs:
    """Where every arm is best in the second half, before the last epoch."""
    for arm in made.arms:
        made = curved(made, arm, lambda epoch: 0.9 if epoch == 6 else 0.5, **study)
    return made


def said(runs: Runs, words: str) -> list[str]:
    return [sentence for sentence in cautions(runs) if words in sentence]


def test_a_healthy_comparison_has_no_caution(made):
    assert cautions(flat(made)) == ()


def test_an_arm_that_is_best_at_its_last_epoch_is_not_trained_out(made):
    (sentence,) = said(curved(flat(made), "kd", lambda epoch: epoch / 8), "Not trained out")
    assert "KD is best on validation at the last epoch" in sentence
    assert "AMID" not in sentence


def test_a_score_that_stays_at_its_best_is_trained_out_and_not_judged_late(made):
    assert cautions(curved(flat(made), "kd", lambda epoch: min(epoch, 3))) == ()


def test_less_may_be_better(made):
    falling = curved(flat(made), "kd", lambda epoch: 1 - epoch / 10)
    assert said(falling, "KD at 1 of 8")


def test_an_arm_that_is_best_in_the_first_half_is_judged_late_under_last(made):
    early = curved(flat(made), "amid", lambda epoch: 1 - abs(epoch - 4) / 8)
    (sentence,) = said(early, "Judged late")
    assert "AMID at 4 of 8" in sentence
    assert not cautions(replace(early, study=replace(early.study, select="best_valid")))


def searching(made: Runs, *arms: str, generation: int | None = None) -> Runs:
    """The runs, where some arms have something to search."""
    spaces: dict[str, Arm] = {arm: replace(made.study.arms[arm], space={"train.lr": Float(1e-3, 1.0)}) for arm in arms}
    index = made.index if generation is None else made.index.assign(generation=generation)
    return replace(flat(made, arms={**made.study.arms, **spaces}), index=index)


def test_a_search_of_one_generation_is_random_points_only(made):
    (sentence,) = cautions(searching(made, "kd", "amid"))
    assert sentence.startswith("Random points only: no search left its first generation")
    assert not cautions(searching(made, "kd", "amid", generation=1))


def test_one_search_of_one_generation_is_named(made):
    index = made.index.assign(generation=(made.index["arm"] == "amid").astype(int))
    (sentence,) = cautions(replace(searching(made, "kd", "amid"), index=index))
    assert "the search of KD never left" in sentence


def test_an_arm_without_anything_to_search_has_no_random_points(made):
    assert not said(flat(made), "Random points")


def test_parts_of_a_method_that_does_not_beat_the_student_explain_nothing():
    runs = flat(report_fakes.make(seeds=3, search=4, samples=60, skills={"amid": 1.2}))
    (sentence,) = cautions(runs)
    assert sentence == "AMID is not shown to beat Student only: its ablation and controls have no gain to explain."
    assert headline.answer(runs).cautions == (sentence,)
    assert ablation.table(runs)[0].notes[0].endswith("its ablation has no gain to explain.")
    assert controls.table(runs)[0].notes[0].endswith("its controls have no gain to explain.")


def test_without_validation_scores_nothing_is_said_of_epochs(made):
    bare = replace(made, curves=made.curves[made.curves["metric"].str.startswith("test/")])
    assert cautions(bare) == ()


def beside(made: Runs, **scores: float) -> Runs:
    """The runs, beside models of scikit-learn with these accuracies."""
    return replace(flat(made), fitted=tuple(Fitted(label, {"accuracy": score}, 1) for label, score in scores.items()))


def test_a_simple_model_that_beats_the_student_alone_is_a_caution(made):
    (sentence,) = cautions(beside(made, linear=0.99, MLP=0.1))
    assert sentence.startswith("A simple model does better: the linear 99.0 %, Student only on the same rows ")
    assert "MLP" not in sentence
    assert not cautions(beside(made, linear=0.1))
    assert not cautions(replace(flat(made), fitted=(Fitted("linear", {}, 1, ("not fitted: why",)),)))
