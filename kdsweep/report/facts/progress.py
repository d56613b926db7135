"""What of an unfinished study is there already, by stage, and which sections of the page rest on what is not."""

from __future__ import annotations

from typing import NamedTuple

from kdsweep.report.facts.runs import Runs

ALL = ("search", "finalists", "confirm")
# What a section's numbers come from; of a section that is not listed nothing can be missing.
RESTS = {
    "headline": ALL,
    "arms": ALL,
    "certainty": ALL,
    "profile": ALL,
    "ablation": (*ALL, "ablate"),
    "subsets": (*ALL, "ablate"),
    "waterfall": (*ALL, "ablate"),
    "scarcity": (*ALL, "ablate"),
    "controls": (*ALL, "control"),
    "curves": ("confirm",),
    "losses": ("confirm",),
    "teachers": ("teacher", "confirm"),
    "weakening": ("teacher", "confirm"),
    "recall": ("confirm",),
    "classes": ("confirm",),
    "confusion": ("confirm",),
    "planes": ("confirm",),
    "samples": ("confirm",),
    "calibration": ("confirm",),
    "budget": ("search",),
    "settings": ("search",),
    "importance": ("search",),
    "landscape": ("search",),
    "parallel": ("search",),
    "schedules": ("search",),
    "rungs": ("search",),
    "timeline": ("teacher", *ALL, "ablate", "control"),
    "replay": ("confirm", "ablate", "control"),
}


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


def unfinished(section: str, runs: Runs) -> str:
    """What a section still waits for, in words; "" where it is whole."""
    if runs.study.complete:
        return ""
    found = stages(runs)
    waits = [found[name] for name in RESTS.get(section, ()) if name in found]
    return ", ".join(f"{one.name} {one.done} of {one.expected}" for one in waits if one.done < one.expected)
