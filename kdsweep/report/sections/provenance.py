"""On which machines, when and with which versions the trials ran, and what all of them cost."""

from __future__ import annotations

import json

from kdsweep.report.facts import costs, machines
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Row, Table

TITLE = "Provenance"
CHAPTER = "reproduce"
ORDER = 75
KEYS = ["host", "machine", "trained on", "version", "commit", "libraries"]


def table(runs: Runs) -> list[Table]:
    used = machines.described(runs.trials[runs.trials["trial"].isin(set(runs.roles["trial"]))])
    rows: list[Row] = []
    for (host, machine, device, version, commit, packages), trials in used.fillna(dict.fromkeys(KEYS, "")).groupby(
        KEYS
    ):
        rows.append(
            {
                "host": str(host),
                "machine": str(machine),
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
    return [Table("provenance", caption, rows, {"device-seconds": 0}, notes), _compute(runs)]


def _compute(runs: Runs) -> Table:
    """All that was trained under the study's name."""
    parts = costs.whole(runs)
    total = sum(part.device_seconds for part in parts)
    rows: list[Row] = [
        {
            "what": part.what,
            "trials": part.trials,
            **{word: part.ended[end] for word, end in zip(("finished", "pruned", "failed"), costs.ENDS, strict=True)},
            "device-seconds": part.device_seconds,
            "share": 100 * part.device_seconds / total if total else None,
        }
        for part in parts
    ]
    if rows:
        summed = {name: sum(row[name] for row in rows) for name in rows[0] if name not in ("what", "share")}  # type: ignore[misc]
        rows.append({"what": "all of it", **summed, "share": 100.0})
    caption = (
        "All training under this study's name, each trial once, in device-seconds and their share (%): also what "
        "failed, what was stopped early, and what an edit of the study set aside."
    )
    notes = (
        "Device-seconds are a trial's own share of its pack's epochs; start, tests and compiling come on top, as the "
        "timeline shows. What a machine lost with its work is not in it: it is trained again, and left no record.",
    )
    return Table("compute", caption, rows, {"device-seconds": 0, "share": 0}, notes)


def _listed(packages: str) -> str:
    return ", ".join(f"{name} {number}" for name, number in json.loads(packages or "{}").items())
