"""What a study may ask of data in which not every row has a label."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kdsweep.study_file import StudyError, compatibility
from tests.helpers.fakes import made_up_facts, study


def test_a_share_of_labels_is_asked_for_where_some_are_missing():
    asked = study(train={"epochs": 2, "labelled": 0.5})
    known, scarce = made_up_facts(asked), replace(asked, data=asked.data.model_copy(update={"drop_labels": 0.5}))
    with pytest.raises(StudyError, match="all of them have one"):
        compatibility.check_facts(replace(asked, facts=known))
    compatibility.check_facts(replace(scarce, facts=known))
    some = [replace(fold, unlabelled={"train": 3}) for fold in known.folds]
    compatibility.check_facts(replace(asked, facts=replace(known, folds=tuple(some))))
