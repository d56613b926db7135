"""What answers at an address is told from a cluster before Ray is asked, which would try for a minute."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from kdsweep.run.ray import address
from kdsweep.run.ray.address import check_address


def test_a_grpc_server_is_taken_for_a_cluster():
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    check_address(f"127.0.0.1:{port}")
    check_address(f"ray://127.0.0.1:{port}")
    server.stop(None)
    check_address("auto")


@pytest.mark.parametrize("reply", [b"HTTP/1.0 400 Bad request\r\n", b""])
def test_another_server_is_told_from_a_cluster(reply, monkeypatch):
    monkeypatch.setattr(address, "TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=answer, args=(server, reply), daemon=True).start()
        with pytest.raises(ConnectionError, match="no Ray cluster answers at 127"):
            check_address(f"127.0.0.1:{server.getsockname()[1]}")


def answer(server: socket.socket, reply: bytes) -> None:
    try:
        while True:
            there, _ = server.accept()
            with there:
                there.sendall(reply)
    except OSError:
        return


def test_with_tls_the_certificates_that_ray_reads_have_to_be_there(monkeypatch):
    monkeypatch.setenv("RAY_USE_TLS", "1")
    with pytest.raises(ConnectionError, match="with RAY_USE_TLS, RAY_TLS_CA_CERT"):
        check_address("127.0.0.1:1")
