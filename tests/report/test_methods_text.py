"""The methods paragraph says what was done, and no more."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from kdsweep.report.facts.described import Described
from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import headline, methods_text, protocol
from kdsweep.values.space import Float
from kdsweep.values.study import Train
from tests.helpers import report_fakes


@pytest.fixture(scope="module")
def made() -> Runs:
    return report_fakes.make(search=3, seeds=3, samples=60, groups=6)


def said(made: Runs, *, data: dict[str, Any] | None = None, **study: Any) -> str:
    described: Described = replace(made.study, data=replace(made.study.data, **(data or {})), **study)
    return methods_text.listing(replace(made, study=described))


def test_whose_split_it_is_is_said_with_the_rows_of_each_part(made):
    drawn = said(made, data={"valid": 250})
    assert "The data were split at random, once for all runs (1,000 training samples, 250 validation samples" in drawn
    assert "The dataset's own split was used" in said(made, data={"given": "all"})
    assert "validation part was drawn from its training part" in said(made, data={"given": "test"})
    assert "cut at random into 5 folds" in said(made, data={"folds": 5})


def test_whose_label_is_missing_is_said(made):
    assert "label" not in said(made).partition("Networks")[0]
    dropped = said(made, data={"drop_labels": 0.8})
    assert "Of the training labels 80% were taken away, of every class alike." in dropped
    missing = said(made, data={"unlabelled": {"train": 600, "valid": 3, "test": 4}})
    assert "600 training samples have no label." in missing
    assert "3 validation samples and 4 test samples without a label were left out." in missing


def test_groups_that_are_in_two_parts_are_not_said_to_be_apart(made):
    assert "6 groups, none of which has rows in another part" in said(made)
    levels = said(made, data={"split_by": "speaker", "infer_over": "talk"})
    assert "No speaker is in two parts. Intervals are over the groups by talk." in levels
    known = replace(made, study=replace(made.study, data=replace(made.study.data, known_groups=2)))
    sentence = "2 of 6 test groups also have rows in training or validation"
    assert sentence in methods_text.listing(known)
    assert any(sentence in words for words in protocol.words(known))
    assert any(words.startswith(sentence) for words in headline.answer(known).cautions)


def test_published_settings_are_those_of_methods_that_have_some(made):
    def spaces(**names: str) -> dict[str, Any]:
        space = {arm: {name: Float(0.1, 1.0)} for arm, name in names.items()}
        return {name: replace(arm, space=space.get(name, {})) for name, arm in made.study.arms.items()}

    first = replace(made.study.budget, published_first=True)
    recipes = spaces(student_only="train.lr", kd="train.lr", amid="train.lr")
    assert "published" not in said(made, budget=first, arms=recipes)
    assert "published" not in said(made, arms=spaces(kd="kd.weight"))
    assert "first where a method has any" in said(made, budget=first, arms=spaces(kd="kd.weight"))


def test_networks_recipe_and_scaling_are_said(made):
    networks = {"student": {"top": {"mlp": {"hidden": [64, 32], "embedding": 16}}, "fusion": {"concat": {"width": 8}}}}
    train = Train(epochs=12, optimizer="sgd").model_dump()
    arms = {name: replace(arm, space={"train.lr": Float(0.1, 1.0)}) for name, arm in made.study.arms.items()}
    words = said(made, networks=networks, train=train, arms=arms, data={"standardised": True})
    assert "the student's are mlp hidden 64-32, embedding 16 (top) and concat width 8 (fusion)" in words
    assert "12 epochs in batches of 128 with SGD, momentum 0.9 and a cosine schedule (learning rate searched" in words
    assert "standardised by the mean and deviation of the training part" in words
    assert "standardised" not in said(made)
