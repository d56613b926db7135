"""The driver's side of a study on Ray: slots are opened as packs get ready, and packs handed to their workers."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ray.tune.search import Searcher

from kdsweep.engine.faults import Fault
from kdsweep.values.trial import Trial

if TYPE_CHECKING:
    from kdsweep.run.launch import Launch


class Slots(Searcher):  # type: ignore[misc]
    """Opens a slot, which is a trial of Tune's, when a pack is ready and no worker free; hands packs to workers that
    have come until nothing more can start.

    A worker stays for the whole launch: Tune would give a short pack's worker the pack of one that is still starting,
    and take that one back, until a single worker is left.
    """

    def __init__(self, launch: Launch, mailbox: Any, name: str) -> None:
        super().__init__()
        self.launch, self.mailbox, self.mailbox_name = launch, mailbox, name
        # What each worker that is here is at work on, nothing while it waits; and slots whose worker is still to come,
        # which may be never: no pack waits for one.
        self.at_work: dict[str, list[Trial]] = {}
        self.to_come: set[str] = set()

    def suggest(self, trial_id: str) -> Any:
        self._serve()
        if self.launch.ready <= len(self.to_come):
            return Searcher.FINISHED if self.launch.done else None
        self.to_come.add(trial_id)
        study = self.launch.study
        job = {
            "data": study.data.model_dump(),
            "root": self.launch.results.root,
            "device": study.resources.device,
            "workers": study.resources.workers,
            "per_pack": study.resources.per_pack,
        }
        # One string: Tune walks through every mapping and list of a config.
        return {"slot": trial_id, "mailbox": self.mailbox_name, "job": json.dumps(job)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A worker has come, or a pack has ended."""
        self.to_come.discard(trial_id)
        pack, self.at_work[trial_id] = self.at_work.get(trial_id, []), []
        for fault in json.loads(result.get("faults", "[]")):
            self.launch.suspect(Fault(**fault))
        self.launch.take_back(pack, f"their worker ended well, but its results are not in {self.launch.results.root}")
        self._serve()

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A slot has closed: its worker was sent home, or died."""
        never_came = trial_id in self.to_come
        self.to_come.discard(trial_id)
        pack = self.at_work.pop(trial_id, [])
        if error and never_came:
            # It was opened for this one. Were nothing lost by it, slots would be opened without end.
            pack = self.launch.next()
        reason = "their worker died, or its machine failed it (Ray's logs say more: /tmp/ray/session_latest/logs)"
        self.launch.take_back(pack, reason)
        self._serve()

    def _serve(self) -> None:
        """Give every worker that waits a pack, or send all home at the end."""
        for slot, busy in self.at_work.items():
            if not busy and (pack := self.launch.next()):
                self._hand(slot, pack)
        if self.launch.done:
            for slot in (*self.at_work, *self.to_come):
                self.mailbox.put.remote(slot, {})

    def _hand(self, slot: str, pack: list[Trial]) -> None:
        self.at_work[slot] = pack
        before = {id_: list(map(asdict, faults)) for id_, faults in self.launch.suspected(pack).items()}
        self.mailbox.put.remote(slot, {"trials": [trial.to_json() for trial in pack], "suspected": before})

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its searcher into a state that nobody restores; a launch holds a terminal and files.
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Tune saves its searcher; ours is derived from the store."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a study is resumed from its store")
