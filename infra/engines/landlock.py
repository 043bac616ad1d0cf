"""Landlock: a process gives up the file system except for what it names. Linux 5.13 and later; elsewhere nothing happens.

It also ends what a process of the same user could otherwise do to the gateway and to other queries: look into them,
trace them, send them signals.
"""

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

# The same numbers on every architecture.
_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_ASK_VERSION: Final = 1
_PATH_BENEATH: Final = 1

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_READ_FILE: Final = 1 << 2
_READ_DIRECTORY: Final = 1 << 3
# How many rights over files a version knows; each is one bit, from the lowest.
_RIGHTS_OF: Final = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_BIND_TCP: Final = 1 << 0
_CONNECT_TCP: Final = 1 << 1
_SCOPES: Final = 0b11
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def landlock_version() -> int:
    """What the kernel knows of it; 0 for nothing."""
    return max(0, _LIBC.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)) if sys.platform == "linux" else 0


def give_up_files(*, read: Iterable[str], write: Iterable[str], use: Iterable[str], network: bool) -> bool:
    """Keep files of `read`, folders of `write` for all but executing, and what lies below `use` for reading.

    Without `network` no TCP either. False where the kernel cannot do it. Needs `no_new_privs`.
    """
    version = landlock_version()
    if version < 1:
        return False
    rights = (1 << _RIGHTS_OF.get(version, max(_RIGHTS_OF.values()))) - 1
    ports = 0 if network or version < 4 else _BIND_TCP | _CONNECT_TCP
    handled = struct.pack("QQQ", rights, ports or (_BIND_TCP if version >= 4 else 0), _SCOPES if version >= 6 else 0)
    ruleset = _LIBC.syscall(_CREATE_RULESET, handled, 24 if version >= 6 else 16 if version >= 4 else 8, 0)
    if ruleset < 0:
        return False
    try:
        for paths, allowed in (
            (read, _READ_FILE),
            (write, rights & ~_EXECUTE),
            (use, _READ_FILE | _READ_DIRECTORY),
        ):
            for path in paths:
                _allow(ruleset, path, allowed)
        return bool(_LIBC.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: str, allowed: int) -> None:
    with suppress(OSError):  # what is not there needs no leave
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            if not os.path.isdir(path):  # noqa: PTH112 thousands of them
                allowed &= _READ_FILE | _WRITE_FILE
            _LIBC.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, descriptor), 0)
        finally:
            os.close(descriptor)
