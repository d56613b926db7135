"""The whole of what a study will ask for, before anything of it has run."""

from __future__ import annotations

from dataclasses import replace

from kdsweep.protocol.plan import Known, Plan, plan
from kdsweep.protocol.trials import Memory
from kdsweep.values.result import Result
from kdsweep.values.study import Study
from kdsweep.values.trial import Trial


def whole(study: Study) -> Plan:
    """The study unfolded to its end on made-up results: what it will ask for, if every trial finishes.

    Points are drawn at random here and nothing is pruned: how many trials there are does not depend on either.
    """
    plain = replace(study, search=study.search.model_copy(update={"sampler": "random", "pruner": None}))
    known, memory = Known(), Memory()
    while True:
        unfolded = plan(plain, known, memory)
        if unfolded.complete:
            return unfolded
        known = Known(
            {**known.trials, **{trial.id: _made_up(trial) for trial in unfolded.ready}},
            {**known.proposals, **unfolded.proposals},
            {**known.arithmetic, **dict.fromkeys(unfolded.unsettled, "plain")},
        )


def _made_up(trial: Trial) -> Result:
    epochs = int(trial.train["epochs"])
    return Result("complete", epochs, {trial.metric: [0.5] * max(1, epochs)})
