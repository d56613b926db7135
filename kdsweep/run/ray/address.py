"""Whether anything like a cluster answers at an address. Ray itself tries for a minute, and then ends the process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

TIMEOUT = 3.0  # seconds
RULE = "--address is auto or the HOST:PORT that `ray start --head` printed"


def check_address(address: str) -> None:
    """Return where a gRPC server answers at HOST:PORT or ray://HOST:PORT; "auto" is left to Ray.

    Raises:
        ConnectionError: it is no such address, nothing is there, or what is there is something else.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise ConnectionError(f"{RULE}, got {address!r}")
    # Read by gRPC when it is imported: a connection that is refused is no news for the terminal.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import grpc

    encrypted = os.environ.get("RAY_USE_TLS", "0") not in ("", "0")
    target = f"{host}:{port}"
    with grpc.secure_channel(target, _certificates()) if encrypted else grpc.insecure_channel(target) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=TIMEOUT)
        except grpc.FutureTimeoutError:
            raise ConnectionError(
                f"no Ray cluster answers at {address} within {TIMEOUT:.0f} seconds. `ray start --head` prints the "
                "address; with --address auto it is looked for on this machine"
            ) from None


def _certificates() -> Any:
    """Those that Ray itself reads."""
    import grpc

    names = ("RAY_TLS_CA_CERT", "RAY_TLS_SERVER_KEY", "RAY_TLS_SERVER_CERT")
    try:
        return grpc.ssl_channel_credentials(*(Path(os.environ[name]).read_bytes() for name in names))
    except (KeyError, OSError) as error:
        raise ConnectionError(f"with RAY_USE_TLS, {', '.join(names)} name files: {error}") from error
