"""Failed trials that are to be trained again: their results are forgotten, and the next launch asks for them anew."""

from __future__ import annotations

from kdsweep.run.journal import check_owner, forget_completion, running
from kdsweep.run.store import Results
from kdsweep.values.study import Study

# How a trial's error begins whose numbers left the finite: it is the trial's own, and would come again.
DIVERGED = "diverged"


def forget_failed(study: Study, results: Results) -> int:
    """Forget every trial of a study that failed and did not diverge. Returns how many.

    Raises:
        ValueError: a launch is at work on the store, or the study was not launched there.
    """
    check_owner(study, results)
    if busy := running(results):
        raise ValueError(f"{results.root} is in use: {', '.join(busy)} is being run. Retry once that has ended")
    roles = results.read_rows(study.name, "index")
    if not roles:
        raise ValueError(f"{study.name} was not launched yet under {results.root}")
    asked, metadata = {role["trial"] for role in roles}, results.metadata()
    failed = [
        id_
        for id_, meta in metadata.items()
        if id_ in asked and meta["state"] == "failed" and not meta["error"].startswith(DIVERGED)
    ]
    if failed:
        results.forget(failed)
        forget_completion(study.name, results)
    return len(failed)
