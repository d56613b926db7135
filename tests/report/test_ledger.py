"""What was known when: what counts as a further look, and what was set after the test results were seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kdsweep.report.facts import ledger, shown
from kdsweep.report.facts.ledger import Entry, History, Stated
from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import headline, methods_text, protocol
from kdsweep.report.statistics import multiplicity
from kdsweep.report.statistics.crossed import Crossed
from kdsweep.report.statistics.verdicts import against_baselines
from kdsweep.run.store import Results
from kdsweep.values.study import Claim
from tests.helpers import report_fakes

CLAIM = Stated("amid", ("kd", "student_only"), "accuracy", "last", 2.0)


def entry(minute: int = 0, *, seeds: int = 5, settings: str = "a", **changes: object) -> Entry:
    """A whole showing of so many seeds; other settings are other trials."""
    trials = tuple(f"{settings}{seed}" for seed in range(seeds))
    made = Entry(
        "shown", f"2026-01-01T10:{minute:02d}", "study", "rows", "data", CLAIM, trials=trials, n=seeds, whole=True
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def seen(now: Entry, *earlier: Entry) -> History:
    return ledger.history(earlier, now, rows=now.rows, data=now.data)


def test_the_first_showing_is_look_one_and_fixes_the_claim():
    assert (seen(entry()).look, seen(entry()).afterwards) == (1, "")


def test_the_same_thing_shown_again_is_no_further_look():
    again = seen(entry(9), entry(0))
    assert (again.look, again.afterwards, again.next_look) == (1, "", 2)
    renamed = seen(entry(9, study="copy"), entry(0))
    assert (renamed.look, renamed.afterwards) == (1, "")


def test_more_seeds_are_a_further_look_at_the_same_claim():
    more = seen(entry(9, seeds=10), entry(0))
    assert (more.look, more.afterwards) == (2, "")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"stated": replace(CLAIM, arm="fitnet")}, "another claim"),
        ({"stated": replace(CLAIM, against=("kd",))}, "another claim"),
        ({"stated": replace(CLAIM, margin=3.0)}, "another margin"),
        ({"stated": replace(CLAIM, metric="macro_f1"), "settings": "b"}, "another metric"),
        ({"settings": "b"}, "what its arms are was changed"),
        ({"seeds": 3}, "seeds than were shown"),
        ({"settings": "b", "study": "other"}, "another study"),
        ({"settings": "b", "study": "other", "data": "with one more modality"}, "another study"),
        ({"settings": "b", "study": "other", "rows": "of another split"}, "another study"),
    ],
)
def test_what_is_changed_after_a_showing_was_set_after_the_results_were_seen(change, why):
    changed = seen(entry(9, **change), entry(0))
    assert changed.look == 2
    assert why in changed.afterwards


def test_other_data_are_another_matter():
    fresh = seen(entry(9, settings="b", rows="others", data="other data"), entry(0))
    assert (fresh.look, fresh.afterwards, fresh.showings) == (1, "", ())


def test_rows_that_nobody_can_name_are_nobodys():
    assert seen(entry(9, settings="b", rows="", data=""), entry(0, rows="", data="")).look == 1


def test_a_claim_swapped_back_is_what_it_was_and_seeds_after_it_cost_what_was_seen():
    swapped = entry(1, stated=replace(CLAIM, arm="fitnet"))
    assert seen(entry(2), entry(0), swapped).look == 1
    more = seen(entry(3, seeds=10), entry(0), swapped)
    assert (more.look, more.afterwards) == (3, "")


def test_a_registered_claim_was_set_before_though_another_was_shown_first():
    mine, other = entry(9, settings="b", study="mine"), entry(1, stated=replace(CLAIM, arm="fitnet"))
    registered = replace(mine, kind="registered", when="2026-01-01T09:00", trials=(), whole=False, n=0)
    assert (seen(mine, other, registered).look, seen(mine, other, registered).afterwards) == (2, "")
    late = replace(registered, when="2026-01-01T10:05")
    assert "another claim" in seen(mine, other, late).afterwards
    assert "another claim" in seen(replace(mine, stated=replace(CLAIM, margin=9.0)), other, registered).afterwards


def test_what_was_seen_unfinished_fixes_the_claim_and_is_no_look_of_its_own():
    begun = entry(0, seeds=2, whole=False)
    assert (seen(entry(9), begun).look, seen(entry(9), begun).afterwards) == (1, "")
    swapped = seen(entry(9, stated=replace(CLAIM, margin=3.0)), begun)
    assert (swapped.look, bool(swapped.afterwards)) == (2, True)
    third = seen(entry(9, stated=replace(CLAIM, margin=3.0)), begun, entry(1))
    assert third.look == 2


def test_a_line_reads_back():
    line = replace(entry(), outcomes=(ledger.Outcome("amid", "kd", "better", 1.0, 0.5, 1.5),))
    assert ledger.from_json(ledger.to_json(line)) == line


def showing(runs: Runs, results: Results, **study: object) -> Runs:
    """A report of the same runs under another study file, after what the store knows."""
    described = replace(runs.study, **study)  # type: ignore[arg-type]
    now = ledger.showing(described, runs.index, set(runs.trials["trial"]))
    assert now is not None
    lines = map(ledger.from_json, results.ledger().values())
    read = replace(runs, study=described, history=ledger.history(lines, now, rows=now.rows, data=now.data))
    shown.record(results, read)
    return read


@pytest.fixture(scope="module")
def small() -> Runs:
    return report_fakes.make(seeds=4, search=3, samples=60)


def test_a_claim_that_was_swapped_is_exploratory_everywhere_and_old_and_new_stand_side_by_side(small, tmp_path):
    results = Results(tmp_path)
    first = showing(small, results)
    assert "stated beforehand" in methods_text.listing(first)
    assert protocol.table(first) == []
    swapped = showing(small, results, claim=Claim("kd", ("student_only",)))
    assert "stated beforehand" not in methods_text.listing(swapped)
    assert "was set after the test results were seen" in methods_text.listing(swapped)
    assert not any(judged.claimed for judged in against_baselines(swapped).values())
    answer = headline.answer(swapped)
    assert (answer.title.partition(":")[0], answer.state) == (
        "Set after the test results were seen, exploratory",
        "open",
    )
    assert "amid better than kd and student_only" in answer.sentences[0]
    (table,) = protocol.table(swapped)
    assert [row["claim"].partition(" in ")[0] for row in table.rows] == [
        "amid better than kd and student_only",
        "kd better than student_only",
    ]
    assert [row["result"].count("[") for row in table.rows] == [2, 1]
    assert any("set after the test results were seen" in words for words in protocol.words(swapped))
    # Back to the first claim, or the first one once more: nothing new is said.
    assert showing(small, results).look == 1
    assert len(results.ledger()) == 2


def test_watching_an_unfinished_study_is_one_line(tmp_path):
    results = Results(tmp_path)
    for confirmed in (1, 2, 3):
        showing(report_fakes.make(seeds=4, search=3, samples=60, confirmed=confirmed, complete=False), results)
    assert [line["whole"] for line in results.ledger().values()] == [False]
    assert showing(report_fakes.make(seeds=4, search=3, samples=60), results).look == 1
    assert len(results.ledger()) == 2


def test_whoever_tries_three_claims_on_one_result_finds_a_false_one_in_at_most_five_percent():
    """Four equal arms; the claim is about one of them, then about whichever looks best, then the next."""
    rng, studies, seeds, samples = np.random.default_rng(23), 600, 5, 100
    found = 0
    for _ in range(studies):
        ease = rng.normal(scale=1.5, size=samples) + 0.4 * rng.normal(size=(4, 1, samples))
        logit = ease + 0.1 * rng.normal(size=(4, seeds, 1)) + rng.normal(size=(4, seeds, samples))
        arms = (logit > 0).astype(float)
        tried = [1, *sorted((2, 3), key=lambda arm: -arms[arm].mean())]
        shown_so_far: list[Entry] = []
        for minute, arm in enumerate(tried):
            now = entry(minute, stated=replace(CLAIM, arm=f"arm {arm}", against=("arm 0",)))
            look = seen(now, *shown_so_far).look
            shown_so_far.append(now)
            interval = Crossed.of(arms[arm] - arms[0]).interval
            if interval.mean > 0 and interval.p <= multiplicity.level(look):
                found += 1
                break
    assert found / studies <= 0.05
