"""What a report says of a search: importance, landscape, schedules, rungs and the timeline, on searches made up
here."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from kdsweep.objective import SoftLogits
from kdsweep.report.facts import timeline as times
from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.searches import searched
from kdsweep.report.sections import importance, landscape, rungs, schedules, timeline
from kdsweep.report.statistics.importance import SHUFFLES, above_chance, ranked
from tests.helpers import report_fakes

START = pd.Timestamp("2026-01-01T10:00:00Z")


def search(trials: int = 48, *, low_wins: bool = False, scheduled: bool = False) -> Runs:
    """KD's search, in which kd.weight alone decides the score, with its best at 1, and kd.temperature does nothing."""
    made = report_fakes.make(search=2, seeds=3, samples=20)
    rng = np.random.default_rng(0)
    weight, temperature = 10 ** rng.uniform(-1, 1, trials), 10 ** rng.uniform(0, 1, trials)
    score = 0.9 - 0.3 * np.log10(weight) ** 2 + rng.normal(scale=0.002, size=trials)
    ids = [f"kd-{i}" for i in range(trials)]
    numbers = {"param.kd.weight": weight, "param.kd.temperature": temperature}
    if scheduled:
        numbers |= {"param.kd.start": rng.uniform(0, 0.5, trials), "param.kd.ramp": 0.2, "param.kd.decay": 0.0}
    rows = made.trials[made.trials["trial"] == "kd-search-0"].drop(columns=[c for c in made.trials if "param" in c])
    table = pd.concat([rows] * trials, ignore_index=True).assign(trial=ids, state="complete", **numbers)
    role = made.index[made.index["trial"] == "kd-search-0"].head(1)
    index = pd.concat([role] * trials, ignore_index=True).assign(trial=ids, arm="kd", number=range(trials), wanted=True)
    metric, value = ("log_loss", 1 - score) if low_wins else ("accuracy", score)
    curves = pd.DataFrame({"trial": ids, "epoch": 8, "metric": f"valid/{metric}", "value": value})
    study = replace(made.study, metric=metric, arms={"kd": made.study.arms["kd"]}, claim=None)
    return replace(made, study=study, index=index, trials=table, curves=curves, predictions=lambda trial: None)


@pytest.mark.parametrize("low_wins", [False, True])
def test_the_number_that_decides_is_the_most_important_and_above_chance(low_wins):
    first, second = ranked(search(low_wins=low_wins), "kd")
    assert (first.name, second.name) == ("kd.weight", "kd.temperature")
    assert first.ped > 0.8
    assert first.fanova > 0.8
    assert (first.above_chance, second.above_chance) == (True, False)


def test_shares_of_importance_sum_to_one():
    importances = ranked(search(), "kd")
    assert sum(importance.ped for importance in importances) == pytest.approx(1)
    assert sum(importance.fanova for importance in importances) == pytest.approx(1)


def test_fanova_gives_the_shares_of_variance_of_a_sum():
    # Var(3u + v) over the unit square: nine parts of ten are u's. A forest of a hundred trials blurs the smaller part.
    runs = search(300)
    units = [searched(runs, "kd").unit(name, runs.trials[f"param.{name}"]) for name in ("kd.weight", "kd.temperature")]
    curves = runs.curves.assign(value=(3 * units[0] + units[1]) / 4)
    first, second = ranked(replace(runs, curves=curves), "kd")
    assert (first.name, second.name) == ("kd.weight", "kd.temperature")
    assert first.fanova == pytest.approx(0.9, abs=0.07)


def test_a_search_with_few_trials_gets_no_ranking():
    assert importance.table(search(8))[0].rows == []
    assert importance.drawing(search(8)) is None


def test_a_number_outside_the_stored_range_is_placed_by_what_was_tried():
    found = searched(search(), "kd")
    assert found.unit("kd.weight", pd.Series([found.space["kd.weight"].low]))[0] == 0
    assert found.unit("kd.weight", pd.Series([found.space["kd.weight"].high]))[0] == pytest.approx(1)


def test_the_best_quarter_is_of_finished_trials_and_opens_with_the_best():
    found = searched(search(), "kd")
    assert len(found.best) == 12
    assert found.best["score"].iloc[0] == found.trials["score"].max()


def test_a_map_is_highest_where_the_best_trials_lie_and_blank_where_none_do():
    corner = landscape.smooth(np.full(9, 0.1), np.full(9, 0.2), np.linspace(1, 2, 9))
    assert np.isnan(corner[-1, -1])
    assert corner[4, 2] == pytest.approx(1.5)
    found = landscape.landscapes(search())[0]
    _, x = np.unravel_index(np.nanargmax(found.heights), found.heights.shape)
    assert abs((x + 0.5) / landscape.CELLS - 0.5) < 0.2


@pytest.mark.slow
def test_pictures_of_ten_thousand_trials_stay_small():
    runs = search(10_000, scheduled=True)
    for section in (landscape, schedules, rungs, timeline):
        drawing = section.drawing(runs)
        assert drawing is None or len(section.figure(runs, drawing).to_json()) < 120_000, section.__name__


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_a_schedule_is_drawn_as_the_term_computes_it(shape):
    numbers = {"start": 0.2, "ramp": 0.3, "decay": 0.25}
    term = SoftLogits(temperature=1.0, weight=1.0, shape=shape, **numbers)
    progress = np.linspace(0, 1, 21)
    drawn = schedules.heights(progress, **{k: [v] for k, v in numbers.items()}, cosine=shape == "cosine")[0]
    asked = [term.height(torch.tensor(p, dtype=torch.float64)).item() for p in progress]
    assert drawn == pytest.approx(asked, abs=1e-6)


def test_schedules_tell_the_best_quarter_from_all_trials():
    (row,) = schedules.table(search(scheduled=True))[0].rows
    assert (row["term"], row["ramp"], row["decay"]) == ("kd", pytest.approx(0.2), 0)
    assert row["start, range"].count(" to ") == 1
    assert schedules.table(search())[0].rows == []


def test_rungs_count_who_was_judged_and_who_stopped():
    runs = search(4)
    trials = runs.trials.assign(
        thresholds=[json.dumps([]), *[json.dumps([[2, 0.5], [4, 0.7]])] * 3],
        state=["complete", "pruned", "complete", "pruned"],
        epochs=[8, 2, 8, 4],
    )
    first, second = rungs.table(replace(runs, trials=trials))[0].rows
    assert [first[k] for k in ("rung (epoch)", "reached it", "stopped there", "epochs saved")] == [2, 3, 1, 6]
    assert [second[k] for k in ("rung (epoch)", "reached it", "stopped there", "epochs saved")] == [4, 2, 1, 4]
    assert (first["bar, first"], second["bar, last"]) == (50, 70)


def ran(*spans: tuple[int, int], hosts: str = "", seconds: float = 1.0) -> times.Timeline:
    """Packs of one trial with these starts and ends, in seconds; `hosts` has a letter for each."""
    runs = search(len(spans))
    stamp = [[(START + pd.Timedelta(seconds=s)).isoformat() for s in span] for span in spans]
    trials = runs.trials.assign(
        start=[one[0] for one in stamp], end=[one[1] for one in stamp], host=list(hosts or "a" * len(spans)),
        process=range(len(spans)), seconds=seconds,
    )  # fmt: skip
    found = times.timeline(replace(runs, trials=trials))
    assert found is not None
    return found


def test_packs_at_once_stand_on_places_of_their_own():
    found = ran((0, 10), (2, 6), (7, 12), (10, 12))
    assert list(found.packs["slot"]) == [0, 1, 1, 0]
    assert found.slots == {"a": 2}


def test_utilisation_is_the_share_of_the_places_time():
    assert ran((0, 10), (0, 5)).utilisation() == pytest.approx(0.75)
    both = ran((0, 10), (0, 5), hosts="ab")
    assert (both.utilisation("a"), both.utilisation("b")) == (1, 0.5)
    assert list(both.busy(2)[1]) == [1, 0.5]


def test_days_between_two_launches_are_cut_out():
    found = ran((0, 10), (86_400, 86_410))
    assert len(found.cuts) == 1
    assert found.span == pytest.approx(20 + times.CUT)
    assert found.utilisation() == pytest.approx(1)


def test_the_timeline_names_every_stage_that_ran():
    runs = report_fakes.make(search=4, seeds=3, samples=20)
    machines, stages = timeline.table(runs)
    assert [row["stage"] for row in stages.rows] == ["teacher"]  # one start for all: the fake's are one pack
    assert machines.rows[0]["trials"] == len(set(runs.roles["trial"]))


def test_above_chance_is_a_test_at_five_percent():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4000, SHUFFLES + 1))
    assert np.mean([above_chance(one[0], one[1:]) for one in values]) == pytest.approx(0.05, abs=0.01)
