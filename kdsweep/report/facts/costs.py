"""What an arm and the whole study cost: trials by how they ended, and the seconds of training that they took."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kdsweep.report.facts import teachers
from kdsweep.report.facts.runs import Runs

ENDS = ("complete", "pruned", "failed")
# What stands beside the arms, in words.
MODELS, ABLATION, CONTROLS, ASIDE = "teachers and auxiliary models", "ablation rows", "controls", "set aside"


@dataclass(frozen=True)
class Part:
    """A share of what a study cost, without what another part has: all of them add up to the whole.

    Attributes:
        ended: trials by how they ended, as in ENDS.
        device_seconds: of training, lost epochs of failed and pruned trials included.
    """

    what: str
    ended: dict[str, int]
    device_seconds: float

    @property
    def trials(self) -> int:
        return sum(self.ended.values())


def spent(runs: Runs, arm: str) -> dict[str, int | float | str]:
    """Search trials by how they ended, and seconds of training, those of the models that the arm read included."""
    if runs.study.imported:
        return {"budget": "not verified"}
    roles = runs.roles[(runs.roles["arm"] == arm) & (runs.roles["row"] == "") & (runs.roles["control"] == "")]
    tuning = roles[roles["stage"].isin(["search", "finalists"])]
    # Runs at published settings are a check on the tuning, and no part of what an arm needed.
    own = roles[roles["stage"] != "defaults"].drop_duplicates("trial")
    return {
        "finished": int((tuning["state"] == "complete").sum()),
        "pruned": int((tuning["state"] == "pruned").sum()),
        "failed": int((tuning["state"] == "failed").sum()),
        "device-seconds": float(own["seconds"].sum() + _models_of(runs, own)["seconds"].sum()),
    }


def whole(runs: Runs) -> list[Part]:
    """All that was trained under the study's name, each trial once: by arm, then what stands beside the arms, then what
    an earlier form of the study asked for and this one does not."""
    if runs.study.imported or runs.trials.empty:
        return []
    trials = runs.joined[runs.joined["state"].isin(ENDS) & runs.joined["trial"].isin(runs.trials["trial"])]
    # A trial that is asked for now in any role is no set-aside work; an arm's own comes before what borrows it.
    trials = trials.assign(
        part=[_part(*role) for role in trials[["wanted", "stage", "arm", "row", "control"]].to_numpy()]
    )
    order = [*runs.arms, *runs.references, MODELS, ABLATION, CONTROLS, ASIDE]
    trials = trials.assign(place=trials["part"].map({name: i for i, name in enumerate(order)}))
    trials = trials.sort_values("place", kind="stable").drop_duplicates("trial")
    parts = []
    for name in order:
        mine = trials[trials["part"] == name]
        ended = {end: int((mine["state"] == end).sum()) for end in ENDS}
        if len(mine):
            parts.append(Part(runs.label(name), ended, float(pd.to_numeric(mine["seconds"]).sum())))
    return parts


def _part(wanted: bool, stage: str, arm: str, row: str, control: str) -> str:
    if not wanted:
        return ASIDE
    if control:
        return CONTROLS
    return MODELS if stage == "teacher" or not arm else ABLATION if row else arm


def _models_of(runs: Runs, own: pd.DataFrame) -> pd.DataFrame:
    """Teachers and auxiliary models of the kinds that these trials read: those read, and the searches for them."""
    columns = own.reindex(columns=["teacher", "auxiliaries"])
    read = {model for cell in columns.to_numpy().ravel() for model in teachers.ids(cell)}
    models = runs.roles[(runs.roles["stage"] == "teacher") & (runs.roles["control"] == "")]
    kinds = set(models.loc[models["trial"].isin(read), "trains"])
    return models[models["trains"].isin(kinds)].drop_duplicates("trial")
