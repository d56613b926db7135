"""The table of controls: each breaks one thing, and says when that has a meaning."""

from __future__ import annotations

import pytest

from kdsweep.values.control import CONTROLS, Control, Subject, control

FROZEN = Subject(teacher="frozen", given=False, mixed=False, reads=lambda: [("student.logits", "teacher.logits")])


@pytest.mark.parametrize("broken", CONTROLS.values(), ids=lambda broken: broken.name)
def test_every_control_asks_something_and_breaks_something(broken):
    assert broken.question.count("?") == 1
    assert (broken.inputs, broken.teacher) != ("own", "own")
    assert control(broken.name) is broken


def test_a_trial_without_a_control_has_nothing_broken():
    assert (control("").inputs, control("").teacher, control("").searched) == ("own", "own", False)


@pytest.mark.parametrize("broken", CONTROLS.values(), ids=lambda broken: broken.name)
def test_a_control_has_a_meaning_for_a_frozen_teacher_and_none_without_a_teacher(broken):
    assert broken.meaningless(FROZEN) == ""
    assert broken.meaningless(Subject("none", False, False, FROZEN.reads)) == "the method reads no teacher"
    assert broken.meaningless(Subject("frozen", False, False, FROZEN.reads, "no classes")) == "no classes"


def test_nothing_is_permuted_within_classes_that_the_data_do_not_say():
    subject = Subject("frozen", False, False, FROZEN.reads, unlabelled=1200)
    reasons = {name: control.meaningless(subject) for name, control in CONTROLS.items()}
    assert {name: reason for name, reason in reasons.items() if reason} == {
        "shuffled_within_class": "it permutes within classes, and 1,200 training samples have no label"
    }


def test_labels_can_take_the_place_of_a_given_teacher_and_retraining_cannot():
    given = Subject("frozen", True, False, FROZEN.reads)
    reasons = {broken.teacher: broken.meaningless(given) for broken in CONTROLS.values()}
    assert reasons["labels"] == ""
    assert reasons["untrained"] == reasons["own"] == "the teacher is given and cannot be retrained"


def test_terms_that_read_more_than_scores_are_dropped_where_labels_teach():
    labels = Control("", "", teacher="labels")
    assert not labels.drops(("student.logits", "teacher.logits"), trains="student", joint=False)
    assert labels.drops(("student.embedding", "teacher.embedding"), trains="student", joint=False)


def test_of_an_untrained_joint_teacher_the_terms_that_train_it_are_dropped():
    untrained = Control("", "", teacher="untrained")
    assert untrained.drops(("teacher.logits",), trains="teacher", joint=True)
    assert not untrained.drops(("teacher.logits",), trains="student", joint=True)
