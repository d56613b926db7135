"""The plan as properties: any order, any cut and any kill give the same trials, and edits rerun what they must."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdsweep.protocol.code import code_digest
from kdsweep.protocol.plan import Known, plan
from kdsweep.protocol.search import generations, sizes
from kdsweep.protocol.trials import Memory
from tests.helpers.fakes import SMALL, Store, asked, fingerprint, made_up_facts, run, study

ROOT = Path(__file__).parent.parent.parent
bounded = settings(max_examples=8)


@st.composite
def studies(draw: st.DrawFn):
    arms = draw(
        st.lists(st.sampled_from(["student_only", "kd", "fitnet", "infonce", "teacher"]), unique=True, max_size=3)
    )
    baselines = [arm for arm in arms if arm != "teacher"]
    return study(
        arms={"amid": {}, **{key: {} for key in arms}},
        seed=draw(st.integers(0, 2)),
        search={
            "trials": draw(st.integers(2, 7)),
            "generation": draw(st.integers(1, 3)),
            "sampler": draw(st.sampled_from(["tpe", "random"])),
            "pruner": draw(st.sampled_from([{"keep": 0.5}, {"keep": 0.25}, None])),
            "repeats": draw(st.integers(1, 2)),
        },
        teachers={"trials": draw(st.integers(1, 3)), "seeds": draw(st.sampled_from(["each", "one"]))},
        finalists={"points": draw(st.integers(1, 2)), "seeds": 2},
        ablate={
            "arm": "amid",
            "retune": draw(st.sampled_from([False, True, "both"])),
            "rows": draw(st.sampled_from([["leave_one_out"], ["add_one_in", {"without": ["mi_teacher", "entropy"]}]])),
        },
        report={"claim": {"arm": "amid", "against": baselines[:1]}} if baselines else {},
        controls=["student_only_teacher", "untrained_teacher"] if baselines else [],
    )


@pytest.mark.slow
@bounded
@given(studies(), st.integers(0, 10**6), st.integers(1, 5))
def test_any_order_and_any_cut_give_the_same_trials(found, seed, at_once):
    rng = random.Random(seed)
    straight, _ = run(found)
    shuffled, _ = run(found, order=lambda ready: rng.sample(ready, len(ready)), at_once=at_once)
    assert fingerprint(shuffled) == fingerprint(straight)
    assert max(Counter(shuffled.runs).values()) == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_a_sampler_is_told_the_history_in_its_own_order_whatever_finishes_first(seed):
    bare = {"arms": {"student_only": {}}, "ablate": None, "controls": None, "report": None}
    search = {"trials": 8, "generation": 2, "sampler": "tests.helpers.sampling:of_the_order"}
    rng, found = random.Random(seed), study(search=search, **bare)
    straight, _ = run(found)
    shuffled, _ = run(found, order=lambda ready: rng.sample(ready, len(ready)), at_once=1)
    assert fingerprint(shuffled) == fingerprint(straight)


@pytest.mark.slow
@bounded
@given(studies(), st.lists(st.integers(0, 40), min_size=1, max_size=4))
def test_any_kill_loses_nothing_and_counts_nothing_twice(found, kills):
    straight, whole = run(found)
    store = Store()
    for kill in kills:
        store, _ = run(found, store, kill_after=kill, at_once=3)
    store, unfolded = run(found, store)
    assert fingerprint(store) == fingerprint(straight)
    assert unfolded.roles == whole.roles
    assert max(Counter(store.runs).values()) == 1


def agree_at_every_stage(found, at_once):
    """Plans of a study unfolding to its end, by one memory, and each from nothing."""
    store, memory, starting = Store(), Memory(), plan(found, Known())
    while not (unfolded := plan(found, store.known, memory)).complete:
        assert in_full(unfolded) == in_full(plan(found, store.known))
        store.settle(unfolded)
        for trial in unfolded.ready[:at_once]:
            store.train(trial)
    assert in_full(unfolded) == in_full(plan(found, store.known))
    # Nor does a memory of another store change anything: where nothing is, or all is otherwise.
    assert in_full(plan(found, Known(), memory)) == in_full(starting)
    plainly = dict.fromkeys(store.arithmetic, "plain")
    unpruned = {key: tuple(replace(p, thresholds=()) for p in points) for key, points in store.proposals.items()}
    for other in Known(store.trials, store.proposals, plainly), Known(store.trials, unpruned, store.arithmetic):
        assert in_full(plan(found, other, memory)) == in_full(plan(found, other))


def in_full(unfolded):
    """A plan down to the last field of its trials, in its order."""
    trials = [(id_, repr(trial.to_json())) for id_, trial in unfolded.trials.items()]
    unsettled = [(name, repr(trial.to_json())) for name, trial in unfolded.unsettled.items()]
    return unfolded, trials, unsettled, [trial.id for trial in unfolded.ready], list(unfolded.proposals)


@pytest.mark.slow
@settings(bounded, max_examples=4)
@given(studies(), st.integers(5, 20))
def test_a_plan_with_a_memory_is_the_plan_without(found, at_once):
    agree_at_every_stage(found, at_once)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": {**SMALL["data"], "folds": {"count": 2}}},
        {"data": {**SMALL["data"], "folds": {"count": 2, "search": "first"}}},
        {"resources": {"pack": 1}},
        {
            "arms": {
                "kd_unimodal": {"use": "kd", "teacher": "unimodal"},
                "amid": {"entropy.form": {"choice": ["pair", "gaussian"]}},
            }
        },
        {"ablate": {"arm": "amid", "rows": [{"each": {"data.drop_auxiliary": [0, 0.5]}}]}},
        {"controls": ["shuffled_within_class", "label_smoothing"]},
    ],
    ids=lambda changes: ", ".join(changes),
)
def test_a_memory_changes_no_plan_of_any_kind_of_study(changes):
    small = {"search": {"trials": 4, "generation": 1}}
    if "arms" in changes:
        small |= {"report": None, "controls": None}
    agree_at_every_stage(study(**small, **changes), at_once=7)


def test_what_was_made_for_an_earlier_plan_is_not_made_again():
    found, memory = study(), Memory()
    store, _ = run(found)
    first, second = (plan(found, store.known, memory) for _ in range(2))
    assert all(second.trials[id_] is trial for id_, trial in first.trials.items())


@pytest.mark.parametrize(("small", "large"), [(3, 9), (4, 6), (7, 16), (1, 8)])
def test_a_search_that_grew_ends_as_the_large_one_at_once(small, large):
    store, _ = run(study(search={"trials": small, "generation": 2}, finalists={"points": 1}))
    grown, unfolded = run(study(search={"trials": large, "generation": 2}, finalists={"points": 1}), store)
    at_once, whole = run(study(search={"trials": large, "generation": 2}, finalists={"points": 1}))
    assert unfolded.roles == whole.roles
    assert {id_: grown.trials[id_] for id_ in asked(whole)} == {id_: at_once.trials[id_] for id_ in asked(whole)}


@pytest.mark.parametrize("trials", [2, 4, 7, 8, 12, 16])
def test_the_smallest_searches_ask_their_sampler_and_their_pruner(trials):
    _, unfolded = run(study(search={"trials": trials}, finalists={"points": 1}, ablate=None, controls=[]))
    searched = [role for role in unfolded.roles if role.stage == "search" and role.arm == "kd"]
    assert len(searched) == trials
    later = [role for role in searched if role.generation]
    assert len(later) >= trials // 2
    assert all(unfolded.trials[role.trial].thresholds for role in later)


def test_a_large_search_has_generations_of_the_size_that_is_asked_for():
    assert [g.used for g in generations(40, sizes(40, 8))] == [16, 8, 8, 8]
    assert [g.used for g in generations(16, sizes(16, 8))] == [8, 4, 4]
    assert [g.used for g in generations(4, sizes(4, 8, given=3))] == [3, 1]


def drawn(found):
    """Of each arm the learning rates that its search begins with, but for the first, which is the published one."""
    _, unfolded = run(found)
    roles = [role for role in unfolded.roles if role.stage == "search" and role.generation == 0 and role.number > 0]
    return {(role.arm, unfolded.trials[role.trial].numbers["train.lr"]) for role in roles}


def test_searches_of_other_arms_data_and_recipes_have_draws_of_their_own():
    small = {"arms": {"student_only": {}, "kd": {}}, "ablate": None, "controls": None, "report": None}
    found = study(**small)
    twins = study(**{**small, "arms": {"student_only": {}, "again": {"use": "student_only"}}})
    assert drawn(found) == drawn(study(**small, name="another", confirm={"seeds": 3}))
    others = [
        replace(found, facts=made_up_facts(found, fingerprint="other content")),
        study(**small, train={"epochs": 6, "batch_size": 256}),
        study(**small, seed=1),
    ]
    assert all(drawn(found).isdisjoint(drawn(other)) for other in others)
    rates = {arm: {rate for whose, rate in drawn(twins) if whose == arm} for arm in twins.arms}
    assert rates["student_only"].isdisjoint(rates["again"])


def test_a_revision_of_the_engine_draws_the_same_points(monkeypatch):
    before = drawn(study())
    monkeypatch.setattr("kdsweep.protocol.code.REVISION", "another")
    code_digest.cache_clear()
    try:
        assert drawn(study()) == before
    finally:
        code_digest.cache_clear()


def test_more_seeds_reuse_the_fewer():
    store, few = run(study(confirm={"seeds": 2}))
    _, many = run(study(confirm={"seeds": 4}), store)
    assert asked(few) <= asked(many)
    assert {role.seed for role in many.roles if role.stage == "confirm"} == {1, 2, 3, 4}


@pytest.mark.parametrize("arm", ["student_only", "kd"])
def test_removing_an_arm_changes_no_other_arms_trials(arm):
    _, whole = run(study(report={}, controls=[]))
    rest = {name: keys for name, keys in SMALL["arms"].items() if name != arm}
    _, without = run(study(arms=rest, report={}, controls=[]))
    assert {role for role in without.roles if role.arm} == {role for role in whole.roles if role.arm not in ("", arm)}


def test_listing_the_teacher_as_a_row_trains_nothing_more():
    store, _ = run(study())
    before = len(store.runs)
    _, listed = run(study(arms={**SMALL["arms"], "teacher": {}, "auxiliary_only": {}}), store)
    shown = [role for role in listed.roles if role.arm in ("teacher", "auxiliary_only")]
    assert len(shown) == 4
    # The auxiliary model at the confirm seeds is a trial that amid reads already.
    assert len(store.runs) == before


def test_an_edited_range_is_a_new_search_of_that_arm_alone():
    store, before = run(study())
    arms = {**SMALL["arms"], "kd": {"kd.weight": {"float": [0.5, 2.0]}}}
    _, after = run(study(arms=arms), store)
    assert {role for role in before.roles if role.arm != "kd"} == {role for role in after.roles if role.arm != "kd"}
    searched = {
        stage: {r.trial for r in p.roles if (r.arm, r.stage) == ("kd", "search")}
        for stage, p in (("before", before), ("after", after))
    }
    # The defaults are the same point in both.
    assert len(searched["before"] & searched["after"]) <= 1


def test_other_epochs_make_every_trial_new():
    _, before = run(study())
    _, after = run(study(train={"epochs": 6, "batch_size": 256}))
    assert not asked(before) & asked(after)


def test_another_student_network_keeps_the_models_that_do_not_read_it():
    networks = {**SMALL["networks"], "student": {"top": {"mlp": {"hidden": [9], "embedding": 8}}}}
    _, before = run(study())
    _, after = run(study(networks=networks))
    shared = {role.trains for role in before.roles if role.trial in asked(after)}
    assert shared == {"teacher", "bottom"}
    assert {role.trains for role in before.roles if role.trial not in asked(after)} == {"student"}


def test_a_point_proposed_twice_is_one_trial_with_two_numbers():
    fixed = {"train.lr": {"choice": [0.001, 0.01]}}
    store, unfolded = run(study(every_arm=fixed, arms={"student_only": {}}, ablate=None, controls=[], report={}))
    roles = [role for role in unfolded.roles if role.stage == "search"]
    assert len(roles) == 7
    assert len({role.trial for role in roles}) == 2
    assert sorted(role.number for role in roles) == list(range(7))
    assert max(Counter(store.runs).values()) == 1


def test_a_searched_choice_is_structure_of_its_trials():
    arms = {"amid": {"entropy.form": {"choice": ["pair", "gaussian"]}}}
    _, unfolded = run(study(arms=arms, report={}, controls=[]))
    searched = [unfolded.trials[role.trial] for role in unfolded.roles if role.stage == "search"]
    assert {trial.choices["entropy_form"] for trial in searched} == {"pair", "gaussian"}
    assert not any("entropy_form" in trial.numbers for trial in searched)


def test_an_arm_without_ranges_has_its_budget_and_one_trial():
    found = study(every_arm=None, arms={"student_only": {}}, ablate=None, controls=[], report={})
    _, unfolded = run(found)
    assert len({role.trial for role in unfolded.roles if role.stage == "search"}) == 1
    assert sum(role.stage == "search" for role in unfolded.roles) == 7


def test_test_is_read_by_confirmed_trials_and_their_teachers_alone():
    _, unfolded = run(study(teachers={"trials": 3, "seeds": "each"}))
    for role in unfolded.roles:
        confirmed = role.stage in ("confirm", "defaults", "ablate", "control") or (
            role.stage == "teacher" and role.seed in (1, 2)
        )
        assert unfolded.trials[role.trial].reads_test == confirmed, role


def test_only_search_trials_carry_thresholds_and_the_first_generation_none():
    _, unfolded = run(study())
    for role in unfolded.roles:
        thresholds = unfolded.trials[role.trial].thresholds
        if role.stage not in ("search", "teacher") or role.generation < 1:
            assert not thresholds, role
    later = [r for r in unfolded.roles if r.stage == "search" and r.generation == 1 and r.arm == "amid"]
    assert all(unfolded.trials[role.trial].thresholds for role in later)


def test_every_arm_has_the_same_number_of_search_trials():
    _, unfolded = run(study())
    counts = Counter(role.arm for role in unfolded.roles if role.stage == "search" and not role.control)
    assert set(counts.values()) == {7}


def test_every_arm_is_confirmed_at_its_published_settings_as_well():
    store, unfolded = run(study())
    shown = {role: unfolded.trials[role.trial] for role in unfolded.roles if role.stage == "defaults"}
    assert {(role.arm, role.seed) for role in shown} == {(arm, seed) for arm in SMALL["arms"] for seed in (1, 2)}
    assert all(trial.reads_test and not trial.thresholds for trial in shown.values())
    kd = next(trial for role, trial in shown.items() if role.arm == "kd")
    assert (kd.numbers["kd.temperature"], kd.numbers["train.lr"]) == (4.0, 0.001)
    # A range that leaves the published value out does not move it.
    narrow = {**SMALL["arms"], "kd": {"kd.temperature": {"float": [8.0, 12.0]}}}
    _, narrowed = run(study(arms=narrow), store)
    defaults = [narrowed.trials[role.trial] for role in narrowed.roles if (role.stage, role.arm) == ("defaults", "kd")]
    assert {trial.numbers["kd.temperature"] for trial in defaults} == {4.0}


def test_where_nothing_is_searched_the_published_settings_are_confirmed_already():
    _, unfolded = run(study(every_arm=None, arms={"student_only": {}}, ablate=None, controls=[], report={}))
    assert not [role for role in unfolded.roles if role.stage == "defaults"]


def test_arms_are_paired_by_seed_with_the_teacher_of_that_seed():
    _, unfolded = run(study())
    for role in unfolded.roles:
        trial = unfolded.trials[role.trial]
        if role.stage == "confirm" and trial.teacher is not None:
            assert trial.teacher.seed == trial.seed == role.seed


def test_one_teacher_serves_all_seeds_where_the_study_says_so():
    _, unfolded = run(study(teachers={"trials": 3, "seeds": "one"}, controls=[]))
    confirmed = [unfolded.trials[r.trial] for r in unfolded.roles if r.stage == "confirm" and r.arm == "kd"]
    assert {trial.teacher.seed for trial in confirmed} == {1}


def test_a_dropped_term_leaves_the_trials_numbers():
    _, unfolded = run(study())
    rows = {role.row: unfolded.trials[role.trial] for role in unfolded.roles if role.stage == "ablate"}
    trial = rows["without entropy"]
    assert trial.dropped == ("entropy",)
    assert not [name for name in trial.numbers if name.startswith("entropy.")]


def test_a_control_that_changes_inputs_retrains_the_models_on_them():
    _, unfolded = run(study())
    controlled = [
        unfolded.trials[r.trial] for r in unfolded.roles if r.control == "student_only_teacher" and r.stage == "control"
    ]
    assert controlled
    for trial in controlled:
        assert trial.control == "student_only_teacher"
        assert all(model.control == "student_only_teacher" for model in trial.auxiliaries.values())


def test_an_untrained_teacher_drops_the_terms_that_would_train_it_alone():
    _, unfolded = run(study())
    trial = next(unfolded.trials[r.trial] for r in unfolded.roles if r.control == "untrained_teacher")
    assert "ce_teacher" in trial.dropped
    assert "mi_auxiliary" in trial.dropped
    assert "ce" not in trial.dropped


def test_an_untrained_frozen_teacher_is_trained_for_no_epoch():
    claim = {"claim": {"arm": "kd", "against": ["student_only"]}}
    _, unfolded = run(study(report=claim, controls=["untrained_teacher"], ablate=None))
    trial = next(unfolded.trials[r.trial] for r in unfolded.roles if r.stage == "control")
    assert trial.teacher.train["epochs"] == 0
    assert trial.train["epochs"] == 8


def test_labels_take_the_teachers_place_only_where_scores_are_read():
    kd = study(report={"claim": {"arm": "kd", "against": ["student_only"]}}, controls=["label_smoothing"], ablate=None)
    _, unfolded = run(kd)
    trial = next(unfolded.trials[r.trial] for r in unfolded.roles if r.stage == "control")
    assert trial.teacher is None
    assert trial.control == "label_smoothing"
    _, unfolded = run(study(controls=["label_smoothing"]))
    assert "label_smoothing" in unfolded.inapplicable


def test_a_search_without_a_finished_trial_ends_its_arm_and_no_other():
    found, store = study(), Store()
    while not (unfolded := plan(found, store.known)).complete:
        store.settle(unfolded)
        for trial in unfolded.ready:
            store.train(trial)
            if trial.method == "kd":
                store.trials[trial.id] = replace(store.trials[trial.id], state="failed")
    assert any(reason.startswith("arm kd: no trial of its search finished") for reason in unfolded.ended)
    assert not [role for role in unfolded.roles if role.arm == "kd" and role.stage == "confirm"]
    assert [role for role in unfolded.roles if role.arm == "amid" and role.stage == "confirm"]


def with_failed(found, is_failed) -> tuple[Store, object]:
    store = Store()
    while not (unfolded := plan(found, store.known)).complete:
        store.settle(unfolded)
        for trial in unfolded.ready:
            store.train(trial)
            if is_failed(trial):
                store.trials[trial.id] = replace(store.trials[trial.id], state="failed")
    return store, unfolded


def test_a_failed_teacher_of_one_finalist_seed_does_not_end_the_arms_that_read_it():
    _, unfolded = with_failed(study(), lambda trial: trial.trains == "teacher" and trial.seed == 1001)
    assert {role.seed for role in unfolded.roles if role.arm == "kd" and role.stage == "confirm"} == {1, 2}


def test_a_failed_teacher_of_one_confirm_seed_costs_that_seed_alone():
    store, unfolded = with_failed(study(), lambda trial: trial.trains == "teacher" and trial.seed == 2)
    confirmed = {role.seed: role.trial for role in unfolded.roles if role.arm == "kd" and role.stage == "confirm"}
    assert confirmed[1] in store.trials
    assert confirmed[2] not in store.trials
    assert "confirm kd seed 2: a model that it reads failed" in unfolded.ended


def test_a_failed_teacher_of_the_search_ends_its_readers_by_name():
    _, unfolded = with_failed(study(), lambda trial: trial.trains == "teacher")
    assert any(reason.startswith("arm kd: ") for reason in unfolded.ended)
    assert [role for role in unfolded.roles if role.arm == "amid" and role.stage == "confirm"]


def test_repeats_run_the_whole_protocol_with_seeds_of_their_own():
    _, unfolded = run(study(search={"trials": 4, "generation": 2, "repeats": 2}))
    seeds = {(role.repeat, role.seed) for role in unfolded.roles if role.stage == "confirm"}
    assert seeds == {(0, 1), (0, 2), (1, 10001), (1, 10002)}


def test_folds_run_the_protocol_inside_each():
    data = {**SMALL["data"], "folds": {"count": 3}}
    _, unfolded = run(study(data=data))
    assert {role.fold for role in unfolded.roles if role.stage == "search"} == {0, 1, 2}
    _, first = run(study(data={**data, "folds": {"count": 3, "search": "first"}}))
    assert {role.fold for role in first.roles if role.stage == "search"} == {0}
    assert {role.fold for role in first.roles if role.stage == "confirm"} == {0, 1, 2}
    assert all(first.trials[role.trial].fold == role.fold for role in first.roles)


def test_other_data_makes_every_trial_new():
    found = study()
    _, before = run(found)
    _, after = run(replace(found, facts=made_up_facts(found, fingerprint="other content")))
    assert not asked(before) & asked(after)


def test_an_edited_module_of_the_users_reruns_its_trials_and_nobody_elses(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_losses").mkdir()
    helper, module = tmp_path / "my_losses" / "helper.py", tmp_path / "my_losses" / "mine.py"
    helper.write_text("FACTOR = 1.0\n")
    source = (ROOT / "kdsweep" / "methods" / "kd.py").read_text()
    module.write_text(source + "\n\nfrom my_losses.helper import FACTOR\n")
    found = study(arms={**SMALL["arms"], "mine": {"use": "my_losses.mine"}})
    _, before = run(found)
    for file, text in ((helper, "FACTOR = 2.0\n"), (module, source + "\n# Edited.\n")):
        file.write_text(text)
        code_digest.cache_clear()
        _, after = run(found)
        assert {role for role in before.roles if role.arm != "mine"} == {r for r in after.roles if r.arm != "mine"}
        mine = [{role.trial for role in p.roles if role.arm == "mine"} for p in (before, after)]
        assert not mine[0] & mine[1]
        before = after
