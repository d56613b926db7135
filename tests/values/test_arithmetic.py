"""How a trial computes, as its identity has it."""

from kdsweep.values.arithmetic import compiled_width


def test_only_what_is_compiled_has_a_width():
    assert [compiled_width(arithmetic) for arithmetic in ("plain", "stacked", "compiled@8")] == [None, None, 8]
