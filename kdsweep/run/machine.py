"""This machine and this process: devices, the settings under which numbers agree, and what ran where."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import kdsweep

if TYPE_CHECKING:
    import torch

    from kdsweep.values.study import Resources

LIBRARIES = ("numpy", "optuna", "pyarrow", "ray", "safetensors", "scikit-learn", "torch")
Kind = Literal["cpu", "cuda"]


def device_of(name: str) -> torch.device:
    """The device of a study's `resources.device`: "auto" is a GPU where there is one."""
    import torch

    return torch.device("cuda" if name == "auto" and torch.cuda.is_available() else "cpu" if name == "auto" else name)


def device_like(name: str) -> torch.device:
    """The device that a stored trial names, or what this machine has in its place."""
    import torch

    return device_of("auto" if name.startswith("cuda") and not torch.cuda.is_available() else name)


def kind_of_device(resources: Resources) -> Kind:
    """What a study's trials train on: a GPU where the study asks for a share of one, or there is one here."""
    if resources.device != "auto":
        return "cpu" if resources.device == "cpu" else "cuda"
    if resources.per_pack.get("gpus"):
        return "cuda"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def equal_products() -> None:
    """MKL's products do not depend on where in memory a lane begins: otherwise a member of a pack whose rows are an odd
    number of bytes would know its lane.

    MKL reads it at a process's first product, so it comes before that. A user's own setting stays.
    """
    os.environ.setdefault("MKL_CBWR", "AVX2,STRICT")


@functools.cache
def keep_freed_memory() -> None:
    """Have glibc keep what a step frees for the next one: asking the kernel for the same pages again, step after step,
    costs a wide pack a tenth of its time. Elsewhere this does nothing.
    """
    trim, mmap = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(trim, 512 * 2**20)
        mallopt(mmap, 32 * 2**20)


def now() -> str:
    """In UTC, to the millisecond: a timeline of short packs is drawn from it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@functools.cache
def processes_of() -> str:
    """Where a process's number means the same process: containers of one host name have numbers of their own.

    "" where the system does not say.
    """
    words = []
    with contextlib.suppress(OSError):
        words.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with contextlib.suppress(OSError):
        words.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(words)


@functools.cache
def provenance() -> dict[str, Any]:
    """Where and with what this process runs."""
    return {
        "version": kdsweep.__version__,
        "commit": _commit(),
        "host": socket.gethostname(),
        "processor": f"{platform.machine()} {_processor()}".strip(),
        "cores": os.cpu_count() or 0,
        "memory": _memory(),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES}
        | {"python": platform.python_version()},
    }


@functools.cache
def accelerator(device: torch.device) -> dict[str, Any]:
    """Model and memory, in bytes, of the device that trains; "" and 0 where that is the processor."""
    if device.type != "cuda":
        return {"accelerator": "", "accelerator_memory": 0}
    import torch

    found = torch.cuda.get_device_properties(device)
    return {"accelerator": found.name, "accelerator_memory": int(found.total_memory)}


def _memory() -> int:
    """Of this machine, in bytes; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _commit() -> str:
    """The git commit of kdsweep's own checkout; "" where it is installed from a package."""
    home = Path(kdsweep.__file__).parent
    try:
        asked = subprocess.run(
            ["git", "-C", str(home), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"],
            capture_output=True, text=True, timeout=5, check=False,
        )  # fmt: skip
        inside = subprocess.run(
            ["git", "-C", str(home), "ls-files", "--error-unmatch", "__init__.py"],
            capture_output=True, timeout=5, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return asked.stdout.strip() if inside.returncode == 0 else ""
