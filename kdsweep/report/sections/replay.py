"""Every run behind the tables, with the command that trains it again from what the store knows."""

from __future__ import annotations

import shlex

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Command, Row, Table

TITLE = "Replay"
CHAPTER = "reproduce"
ORDER = 80
MOST = 12
RESTS = ("confirm", "ablate", "control")


def table(runs: Runs) -> list[Table]:
    roles = runs.roles[runs.roles["stage"].isin(["confirm", "ablate", "control"])]
    roles = roles[roles["state"] != "waiting"]
    test = runs.test()
    # The first seed of every row comes first: the page shows those, the files have all.
    roles = roles.sort_values(["repeat", "fold", "seed"], kind="stable")
    first = int((roles["seed"] == roles["seed"].min()).sum()) if len(roles) else 0
    rows: list[Row] = [
        {
            "arm": runs.label(str(role["arm"])),
            "row": str(role["row"] or role["control"] or ""),
            "seed": int(role["seed"]),
            **({"repeat": int(role["repeat"])} if runs.study.budget.repeats > 1 else {}),
            **({"fold": int(role["fold"])} if runs.study.data.folds > 1 else {}),
            "state": str(role["state"]),
            runs.metric.label: runs.printed(float(test[role["trial"]])) if role["trial"] in test else None,
            "command": Command(f"python -m kdsweep replay {role['trial']}{_storage(runs)}"),
        }
        for role in roles.to_dict("records")
    ]
    most = min(first, MOST) or None
    return [Table("replay", "Runs that read test.", rows, {runs.metric.label: runs.digits}, most=most)]


def _storage(runs: Runs) -> str:
    """The option that finds the store, where it is not the default."""
    storage = runs.study.storage or "runs/"
    return "" if storage == "runs/" else f" --storage {shlex.quote(storage)}"
