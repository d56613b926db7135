"""What was stopped early and what broke. Both count in the budget; neither is hidden."""

from __future__ import annotations

import pandas as pd

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Row, Table
from kdsweep.values.stages import STAGES

TITLE = "Pruned and failed"
CHAPTER = "search"
ORDER = 60


def table(runs: Runs) -> list[Table]:
    counts: list[Row] = []
    for stage in STAGES:
        for (arm, trains), roles in runs.roles[runs.roles["stage"] == stage].groupby(["arm", "trains"], sort=False):
            states = roles["state"].value_counts()
            counts.append(
                {
                    "arm": _who(runs, str(arm), str(trains)),
                    "stage": stage,
                    "finished": int(states.get("complete", 0)),
                    "pruned": int(states.get("pruned", 0)),
                    "failed": int(states.get("failed", 0)),
                    "waiting": int(states.get("waiting", 0)),
                    "median epochs of the pruned": _median_epochs(roles[roles["state"] == "pruned"]["epochs"]),
                }
            )
    failed = runs.roles[runs.roles["state"] == "failed"].drop_duplicates("trial")
    errors: list[Row] = [
        {
            "trial": str(role["trial"]),
            "arm": _who(runs, str(role["arm"]), str(role["trains"])),
            "stage": str(role["stage"]),
            "seed": int(role["seed"]),
            "error": (str(role["error"] or "").strip().splitlines() or [""])[-1],
        }
        for role in failed.to_dict("records")
    ]
    return [
        Table("states", "Trials by how they ended, by stage; ablation rows and controls count with their arm.", counts,
              {"median epochs of the pruned": 1}, page=bool(len(failed))),
        Table("failures", "Every failed trial, with the last line of its error.", errors),
    ]  # fmt: skip


def words(runs: Runs) -> list[str]:
    if not len(runs.roles) or (runs.roles["state"] == "failed").any():
        return []
    pruned = int((runs.roles["state"] == "pruned").sum())
    return [f"No trial failed; {pruned} {'was' if pruned == 1 else 'were'} pruned."]


def _who(runs: Runs, arm: str, trains: str) -> str:
    """The arm, or the model that several arms share."""
    return runs.label(arm) if arm else "the teacher" if trains == "teacher" else f"auxiliary model: {trains}"


def _median_epochs(epochs: pd.Series) -> float | None:
    return float(epochs.median()) if len(epochs) else None
