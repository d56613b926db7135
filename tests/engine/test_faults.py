"""What the machine did is no result, and what a trial raises is one when another process has seen the same."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.engine.faults import Fault, ends_the_process, fault_of, of_memory, of_the_machine
from kdsweep.engine.loop import Outcome, run
from kdsweep.run import local
from kdsweep.run.launch import Launch, with_facts
from kdsweep.run.store import Results
from kdsweep.values.user_code import own, source_digest
from tests.helpers import fakes
from tests.helpers.trials import DATA, distilled

CUDA = "CUDA error: device-side assert triggered"


def raised_from(cause: Exception) -> Exception:
    error = ValueError("cannot be imported")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError("no space left on device"),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        torch.AcceleratorError(CUDA),
        RuntimeError(CUDA),
        RuntimeError("CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`"),
        RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer"),
        dist.DistBackendError("NCCL error"),
        dist.DistNetworkError("timed out"),
        ModuleNotFoundError("No module named 'mine'"),
        SyntaxError("'(' was never closed"),
        raised_from(ModuleNotFoundError("No module named 'mine'")),
    ],
    ids=repr,
)
def test_the_machines_doing_is_told_from_a_trials_own(error):
    assert of_the_machine(error)


@pytest.mark.parametrize(
    "error", [ValueError("no"), KeyError("x"), RuntimeError("shapes differ"), ZeroDivisionError()], ids=repr
)
def test_what_a_trial_raises_by_itself_is_its_own(error):
    assert not of_the_machine(error)
    assert not ends_the_process(error)


def test_after_a_cuda_error_nothing_works_in_this_process_and_after_a_full_memory_it_does():
    assert ends_the_process(torch.AcceleratorError(CUDA))
    assert ends_the_process(RuntimeError(CUDA))
    full = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    assert of_memory(full)
    assert not ends_the_process(full)


def test_a_node_without_the_users_modules_has_no_result():
    for ask in (lambda: methods.load("not_here.mine"), lambda: own("not_here.net:Net", {"source digest": "x"})):
        with pytest.raises((ValueError, ImportError), match="not_here") as raised:
            ask()
        assert of_the_machine(raised.value)


def test_a_source_that_changed_since_the_study_was_read_has_no_result(tmp_path, monkeypatch):
    (tmp_path / "my_changing.py").write_text("def make(): ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    digest = source_digest("my_changing")
    (tmp_path / "my_changing.py").write_text("def make(): ...\n# saved once more\n")
    with pytest.raises(ImportError, match="has changed") as raised:
        own("my_changing:make", {"source digest": digest})
    assert of_the_machine(raised.value)


def broken(model: object, role: str) -> None:
    raise ZeroDivisionError(f"a user's mistake in {object()}")


def trained(weights, **options) -> Outcome | Fault:
    (became,) = run([distilled("kd")], source.load(DATA.reference), DATA, weights, **options)
    return became


def test_a_fault_is_a_result_when_another_process_has_raised_the_same():
    first = trained(broken)
    assert isinstance(first, Fault)
    assert (first.trial, first.kind) == (distilled("kd").id, "ZeroDivisionError")
    again = trained(broken, suspected={first.trial: [first]})
    assert isinstance(again, Fault), "the same process says nothing new"
    elsewhere = replace(first, process="another")
    failed = trained(broken, suspected={first.trial: [elsewhere]})
    assert isinstance(failed, Outcome)
    assert failed.state == "failed"
    assert "ZeroDivisionError: a user's mistake" in failed.error
    other = replace(elsewhere, kind="KeyError")
    assert isinstance(trained(broken, suspected={first.trial: [other]}), Fault)


def test_a_fault_of_the_machine_is_raised_and_one_that_ends_the_process_ends_the_whole_pack():
    asked, calls = [distilled("kd", seed=seed, arithmetic="stacked") for seed in range(3)], []

    def failing(error: Exception):
        def weights(model: object, role: str) -> None:
            calls.append(role)
            raise error

        return weights

    with pytest.raises(OSError, match="no space left"):
        trained(failing(OSError("no space left on device")))
    calls.clear()
    with pytest.raises(RuntimeError, match="device-side"):
        list(run(asked, source.load(DATA.reference), DATA, failing(RuntimeError(CUDA))))
    assert len(calls) == 1


def test_a_fault_survives_json():
    try:
        broken(None, "")
    except ZeroDivisionError as error:
        fault = fault_of(error, "a trial")
    assert fault.where.endswith("in broken")
    assert Fault(**vars(fault)) == fault


SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, shape):
        super().__init__()
        {mistake}
        self.embedding, self.layer = 8, nn.Sequential(nn.Flatten(), nn.Linear(32, 8))

    def forward(self, x):
        return self.layer(x)
"""
BARE = {"arms": {"student_only": {}}, "ablate": None, "controls": None, "report": None}


def launched(tmp_path: Path) -> Launch:
    networks = {"student": {"top": {"my_failing_net:Net": {}}}}
    few = {"search": {"trials": 1, "generation": 1}, "finalists": {"points": 1}}
    few["confirm"] = {"seeds": 2, "defaults": False}
    study = fakes.study(
        facts=False, name="failing", networks=networks, train={"epochs": 1}, resources={"device": "cpu"}, **BARE, **few
    )
    return Launch(with_facts(study), Results(tmp_path / "store"))


@pytest.mark.slow
def test_a_file_saved_in_the_midst_of_a_launch_leaves_nothing_failed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "my_failing_net.py"
    whole = SOURCE.format(mistake="")
    file.write_text(whole)
    launch = launched(tmp_path)
    file.write_text(whole + "# saved once more\n")
    local.run(launch)
    assert not launch.results.known()
    file.write_text(whole)
    again = launched(tmp_path)
    local.run(again)
    assert again.complete
    assert {result.state for result in again.results.known().values()} == {"complete"}


@pytest.mark.slow
def test_a_mistake_in_a_users_network_has_failed_when_two_processes_raised_it(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    # A name that the driver's dry run does not see: it settles before any trial.
    mistake = "import os\n        if os.environ.get('MISTAKE'): raise KeyError('not there')"
    (tmp_path / "my_failing_net.py").write_text(SOURCE.format(mistake=mistake))
    sys.modules.pop("my_failing_net", None)
    launch = launched(tmp_path)
    monkeypatch.setenv("MISTAKE", "1")
    local.run(launch)
    metadata = launch.results.metadata().values()
    assert {meta["state"] for meta in metadata} == {"failed"}
    assert all("KeyError: 'not there'" in meta["error"] for meta in metadata)
    assert launch.complete
