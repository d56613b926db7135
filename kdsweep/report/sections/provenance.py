"""Where, when and with which versions the trials ran."""

from __future__ import annotations

import json

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Row, Table

TITLE = "Provenance"
CHAPTER = "reproduce"
ORDER = 75


def table(runs: Runs) -> list[Table]:
    used = runs.trials[runs.trials["trial"].isin(set(runs.roles["trial"]))]
    rows: list[Row] = []
    keys = ["host", "device", "version", "commit", "libraries"]
    for (host, device, version, commit, packages), trials in used.fillna(dict.fromkeys(keys, "")).groupby(keys):
        rows.append(
            {
                "host": str(host),
                "device": str(device),
                "kdsweep": str(version),
                "commit": str(commit),
                "libraries": _listed(str(packages)),
                "trials": len(trials),
                "device-seconds": float(trials["seconds"].sum()),
                "first start": str(trials["start"].dropna().min()),
                "last end": str(trials["end"].dropna().max()),
            }
        )
    caption = "Trials behind this report by machine and version."
    notes = (
        ("Trials of several versions or machines are mixed here; each trial's own are in runs.parquet.",)
        if len(rows) > 1
        else ()
    )
    return [Table("provenance", caption, rows, {"device-seconds": 0}, notes)]


def _listed(packages: str) -> str:
    return ", ".join(f"{name} {number}" for name, number in json.loads(packages or "{}").items())
