"""Under what name it is settled how a trial computes."""

from kdsweep.values.arithmetic import compiled_width, settlement
from kdsweep.values.study import Resources
from tests.helpers.trials import distilled


def test_what_pays_on_one_kind_of_device_says_nothing_of_another():
    asked = distilled("kd")
    names = {settlement(asked, Resources(), device=device) for device in ("cpu", "cuda")}
    assert len(names) == 2
    assert settlement(asked, Resources()) in names


def test_only_what_is_compiled_has_a_width():
    assert [compiled_width(arithmetic) for arithmetic in ("plain", "stacked", "compiled@8")] == [None, None, 8]
