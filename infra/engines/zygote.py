"""The process from which queries are forked: it has the engine loaded, no secrets, and outlives nothing it serves.

Started by `infra.engines.nursery` as `python -I -m infra.engines.zygote <socket> <reach>`. It ends when the gateway
closes the socket or dies, and takes the queries with it.
"""

import ctypes
import resource
import signal
import socket
import sys
from typing import Final

_PR_SET_NO_NEW_PRIVS: Final = 38
_CLONE_NEWNET: Final = 0x40000000
_CLONE_NEWUSER: Final = 0x10000000


def main() -> None:
    descriptor, reach = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _seal(offline=reach == "local")
    # Only now: Arrow and the engine start threads, and a process with threads cannot leave its network.
    from infra.engines.child import load_engine  # noqa: PLC0415
    from infra.engines.forker import Forker  # noqa: PLC0415

    load_engine(reach)
    with socket.socket(fileno=int(descriptor)) as gateway:
        Forker(gateway, reach).run()


def _seal(*, offline: bool) -> None:
    """What holds for every query alike; they inherit it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # An empty network, not even loopback. Root may have it as it is; others only among users of their own. Where the
    # kernel gives it to neither, the other walls have to do.
    if offline and libc.unshare(_CLONE_NEWNET) != 0:
        libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


if __name__ == "__main__":
    main()
