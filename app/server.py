"""Runs the gateway under gunicorn with the limits of the settings."""

import ipaddress
import math
import os
import socket
import subprocess
import sys
import time
from typing import Any

import gunicorn.app.base
import gunicorn.arbiter
import structlog
from flask import Flask

from app.settings import ServerSettings, Settings
from app.web.clients import are_told_apart
from infra.errors import InvalidInputError

_RESTART_SECONDS = 10.0
_STOP_SECONDS = 20.0
_KEEP_SECONDS = 75
_log = structlog.get_logger(__name__)


class PlainTextRefusedError(InvalidInputError):
    """Keys would cross a network unencrypted."""

    code = "plain-text-refused"
    title = "TLS is needed"


def require_safe_listener(server: ServerSettings) -> None:
    """Plain HTTP is for loopback, or for a proxy that ends TLS."""
    if (server.certfile is None) != (server.keyfile is None):
        raise InvalidInputError("Give both certfile and keyfile, or neither.")
    if server.certfile or server.behind_tls_proxy or _is_loopback(server.host):
        return
    raise PlainTextRefusedError(
        f"{server.host} is reachable from elsewhere and there is no TLS.",
        hint="Set OAST_SERVER__CERTFILE and OAST_SERVER__KEYFILE, or OAST_SERVER__BEHIND_TLS_PROXY=true behind a load balancer.",
    )


def require_free_port(server: ServerSettings) -> None:
    """Before gunicorn tries five times and says it five times."""
    try:
        family = socket.AF_INET6 if ":" in server.host else socket.AF_INET
        with socket.create_server((server.host, server.port), family=family, reuse_port=False):
            return
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidInputError(
            f"{server.host}:{server.port} cannot be listened on: {reason}.",
            hint="Set OAST_SERVER__PORT or stop what is there.",
        ) from error


def silent_seconds(settings: Settings) -> int:
    """For how long a client may wait for the first byte of an answer: in line for a slot, and then for the work."""
    engine, connectors = settings.engine, settings.connectors
    return math.ceil(engine.wait_seconds + max(engine.deadline_seconds, connectors.deadline_seconds))


def keep_alive_seconds(settings: Settings) -> int:
    """A proxy has one time-out for silence, before an answer and after it: above the first, so it is below this one."""
    return _KEEP_SECONDS + (silent_seconds(settings) if settings.server.behind_tls_proxy else 0)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(settings: Settings) -> None:
    """Serve until stopped; SIGTERM lets running requests finish."""
    require_safe_listener(settings.server)
    if not are_told_apart(settings.server):
        _log.warning("attempts to come in are not limited: OAST_SERVER__TRUSTED_PROXIES names no proxy")
    _Server(settings).run()


class _Arbiter(gunicorn.arbiter.Arbiter):  # type: ignore[misc]  # gunicorn ships no types
    """Brings a worker of the queue along: started with the server, started again if it dies, stopped with it."""

    def __init__(self, server: "_Server", *, embedded: bool) -> None:
        super().__init__(server)
        self._embedded = embedded
        self._worker: subprocess.Popen[bytes] | None = None
        self._restart_at = 0.0

    def manage_workers(self) -> None:
        """Called about once a second."""
        super().manage_workers()
        is_up = self._worker is not None and self._worker.poll() is None
        if self._embedded and not is_up and time.monotonic() > self._restart_at:
            self._restart_at = time.monotonic() + _RESTART_SECONDS
            command = [sys.executable, "-m", "app.cli", "worker", "--of", str(os.getpid())]
            self._worker = subprocess.Popen(command)  # noqa: S603 our own

    def stop(self, graceful: bool = True) -> None:  # noqa: FBT001, FBT002 gunicorn's signature
        if self._worker is None:
            super().stop(graceful)
            return
        self._worker.terminate()
        super().stop(graceful)
        try:
            # Where the server is what a container runs, its end would be the end of a worker that still gives runs back.
            self._worker.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._worker.kill()


class _Server(gunicorn.app.base.BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def run(self) -> None:
        _Arbiter(self, embedded=self._settings.jobs.embedded).run()

    def load_config(self) -> None:
        server = self._settings.server
        options: dict[str, Any] = {
            "bind": f"[{server.host}]:{server.port}" if ":" in server.host else f"{server.host}:{server.port}",
            "workers": server.workers,
            "worker_class": "gthread",
            "threads": server.threads,
            # Engines, connections and threads must not exist before a fork.
            "preload_app": False,
            "graceful_timeout": 30,
            "keepalive": keep_alive_seconds(self._settings),
            "certfile": str(server.certfile) if server.certfile else None,
            "keyfile": str(server.keyfile) if server.keyfile else None,
            "control_socket_disable": True,
            "loglevel": self._settings.log_level,
        }
        for name, value in options.items():
            if value is not None:
                self.cfg.set(name, value)

    def load(self) -> Flask:
        from app.factory import create_app  # noqa: PLC0415 each worker builds its own, after the fork

        return create_app(self._settings)
