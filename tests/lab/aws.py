"""AWS control APIs by moto: Secrets Manager, SSM, STS, IAM. It ignores session policies and proves nothing about them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer


@dataclass(frozen=True)
class Moto:
    endpoint_url: str

    def client(self, service: str) -> Any:
        return boto3.session.Session().client(
            service,
            region_name="us-east-1",
            endpoint_url=self.endpoint_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def reset(self) -> None:
        """Forget every resource of every service."""
        with urlopen(Request(f"{self.endpoint_url}/moto-api/reset", method="POST"), timeout=10) as answer:
            answer.read()


@contextmanager
def running_moto() -> Iterator[Moto]:
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Moto(f"http://{host}:{port}")
    finally:
        server.stop()
        # stop() leaves the listening socket to the collector, which reports it.
        if server._server is not None:
            server._server.server_close()
