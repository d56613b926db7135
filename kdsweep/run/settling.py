"""How structures compute is settled before their first trial: stacked or one at a time, compiled or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from kdsweep.data import registry as source
from kdsweep.run.machine import equal_products
from kdsweep.run.store import Results
from kdsweep.values.arithmetic import compiled_width
from kdsweep.values.study import Study
from kdsweep.values.trial import Trial

if TYPE_CHECKING:
    from kdsweep.engine.stacked.choose import Arithmetic


def settle(
    structures: Mapping[str, Trial],
    study: Study,
    results: Results,
    *,
    device: str,
    trains: bool,
    settled: Callable[[Trial, Arithmetic], None],
) -> dict[str, Arithmetic]:
    """Settle and store how each structure computes, by its name; `structures` has a trial of each.

    Args:
        device: the kind that the study trains on.
        trains: trials are to run. Without it nothing is compiled or written.
        settled: is told each decision, before its code is compiled.
    """
    # Building a step needs torch and the data; a plan on its own needs neither.
    from kdsweep.engine.stacked.choose import COMPILED, compile_ahead, member_steps
    from kdsweep.engine.stacked.choose import settle as choose
    from kdsweep.engine.threads import one_thread
    from kdsweep.run.worker import compiled_code

    equal_products()
    dataset = source.load(study.data.reference)
    choices: dict[str, Arithmetic] = {}
    # Whatever imports torch's compiler settles where its code lies.
    with compiled_code(results):
        for name, trial in structures.items():
            choice = choices[name] = choose(
                trial,
                dataset,
                study.data,
                device=device,
                compiling=study.resources.compile,
                width=COMPILED if study.resources.pack == "auto" else study.resources.pack,
                member_steps=member_steps(study, trial),
            )
            settled(trial, choice)
            # On a GPU it is for the workers to compile: there may be none here.
            if compiled_width(choice.name) and trains and device == "cpu":
                with one_thread():
                    compile_ahead(trial, dataset, study.data, choice)
            if trains:
                results.store_arithmetic(name, choice.name, choice.reason, choice.memory)
    return choices
