"""Whether the client of this request still waits."""

import select
from typing import Any, Final

from flask import request

from infra.ports.engine import Abandoned

# A peer that has closed its side counts as gone, as it does for nginx: of the clients that close it and go on reading,
# none is a notebook. Asked of the descriptor, not by peeking into the socket, which TLS sockets do not allow.
_GONE: Final = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR


def client_gone() -> Abandoned:
    """To be asked from now on, in any thread; False for ever under a server that does not say which socket it is."""
    connection: Any = request.environ.get("gunicorn.socket") or request.environ.get("werkzeug.socket")
    if connection is None:
        return lambda: False
    poll = select.poll()
    poll.register(connection.fileno(), _GONE)
    return lambda: bool(poll.poll(0))
