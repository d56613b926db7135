"""Whether anything like a cluster answers at an address. Ray itself tries for a minute, and then ends the process."""

from __future__ import annotations

import os
import socket

TIMEOUT = 3.0  # seconds, for each of connecting and answering
# How a gRPC client begins: the preface of HTTP/2, and empty settings. A server answers with settings of its own.
HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
SETTINGS = 4


def reach(address: str) -> None:
    """Return where a gRPC server answers at HOST:PORT or ray://HOST:PORT; "auto" is left to Ray.

    Raises:
        ConnectionError: it is no such address, nothing is there, or what is there is something else.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        raise ConnectionError(f"--address is auto or the HOST:PORT that `ray start --head` printed, got {address!r}")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT) as there:
            # With TLS nothing answers in the clear: that somebody is there has to do.
            if os.environ.get("RAY_USE_TLS", "0") in ("", "0"):
                there.sendall(HELLO)
                _expect_settings(there)
    except (OSError, OverflowError) as error:
        raise ConnectionError(
            f"no Ray cluster answers at {address}: {error}. `ray start --head` prints the address; with --address auto "
            "it is looked for on this machine"
        ) from error


def _expect_settings(there: socket.socket) -> None:
    head = b""
    while len(head) < 4:
        got = there.recv(9)
        if not got:
            break
        head += got
    if len(head) < 4 or head[3] != SETTINGS:
        raise ConnectionError("what listens there is no Ray")
