"""What of an unfinished study is there already, by stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from kdsweep.report.facts.runs import Runs


class Stage(NamedTuple):
    name: str
    done: int
    expected: int


def stages(runs: Runs) -> dict[str, Stage]:
    """Of each stage that the study asks for: how many of its runs have ended, and how many there will be."""
    expected = runs.study.expected
    ended = runs.roles[runs.roles["state"].isin(["complete", "pruned", "failed"])]
    counts = ended["stage"].value_counts()
    asked = runs.roles["stage"].value_counts()
    # A plan unfolds as it goes: without a forecast only what is asked for so far is known.
    return {
        stage: Stage(stage, int(counts.get(stage, 0)), max(int(asked.get(stage, 0)), expected.get(stage, 0)))
        for stage in dict.fromkeys([*expected, *asked.index])
    }


def unfinished(rests: Sequence[str], runs: Runs) -> str:
    """What of these stages is still waited for, in words; "" where they are whole."""
    if runs.study.complete:
        return ""
    known = stages(runs)
    waits = [known[name] for name in rests if name in known]
    return ", ".join(f"{stage.name} {stage.done} of {stage.expected}" for stage in waits if stage.done < stage.expected)
