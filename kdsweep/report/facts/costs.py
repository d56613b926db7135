"""What an arm cost: its trials, and the seconds of training that they and the models behind them took."""

from __future__ import annotations

import pandas as pd

from kdsweep.report.facts import teachers
from kdsweep.report.facts.runs import Runs


def spent(runs: Runs, arm: str) -> dict[str, int | float | str]:
    """Search trials by how they ended, and seconds of training, those of the models that the arm read included."""
    if runs.study.imported:
        return {"budget": "not verified"}
    roles = runs.roles[(runs.roles["arm"] == arm) & (runs.roles["row"] == "") & (runs.roles["control"] == "")]
    tuning = roles[roles["stage"].isin(["search", "finalists"])]
    own = roles.drop_duplicates("trial")
    return {
        "finished": int((tuning["state"] == "complete").sum()),
        "pruned": int((tuning["state"] == "pruned").sum()),
        "failed": int((tuning["state"] == "failed").sum()),
        "device-seconds": float(own["seconds"].sum() + _models_of(runs, own)["seconds"].sum()),
    }


def _models_of(runs: Runs, own: pd.DataFrame) -> pd.DataFrame:
    """Teachers and auxiliary models of the kinds that these trials read: those read, and the searches for them."""
    columns = own.reindex(columns=["teacher", "auxiliaries"])
    read = {model for cell in columns.to_numpy().ravel() for model in teachers.ids(cell)}
    models = runs.roles[(runs.roles["stage"] == "teacher") & (runs.roles["control"] == "")]
    kinds = set(models.loc[models["trial"].isin(read), "trains"])
    return models[models["trains"].isin(kinds)].drop_duplicates("trial")
