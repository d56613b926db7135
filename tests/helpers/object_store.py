"""An S3 on this machine, for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def serving() -> Iterator[str]:
    """URIs of its one bucket, with `{}` for a name in it: pyarrow reads the server and its keys from them."""
    from moto.server import ThreadedMotoServer
    from pyarrow import fs

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    there = {"endpoint_override": f"{host}:{port}", "scheme": "http", "region": "us-east-1"}
    fs.S3FileSystem(access_key="key", secret_key="secret", **there, allow_bucket_creation=True).create_dir("bucket")
    try:
        yield "s3://key:secret@bucket/{}?" + "&".join(f"{key}={value}" for key, value in there.items())
    finally:
        server.stop()
