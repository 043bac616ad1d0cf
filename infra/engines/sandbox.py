"""What the kernel denies to a query's process, whatever the SQL makes of the engine."""

import ctypes
import os
import re
import resource
import signal
import sys
from typing import Final

from infra.engines.landlock import give_up_files
from infra.engines.protocol import REMOTE, ForkRequest, Job
from infra.ports.tables import Snapshot

# What is mapped beside the buffers that the memory limit counts: half a gigabyte of interpreter and libraries, another
# half in the largest joins measured, and as much again. Then stacks and pools of each thread.
_MAPPED_BESIDE: Final = 2 << 30
_MAPPED_PER_THREAD: Final = 128 << 20
_MEMORY: Final = re.compile(r"\s*([\d.]+)\s*([KMGT]?)(i?)B?\s*|\s*([\d.]+)\s*%\s*", re.IGNORECASE)
# What opening a connection looks up.
_LOOKED_UP: Final = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
)
_CERTIFICATES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR")
# The gateway and the zygote come first: they answer others, and stop what takes too long. Not the least there is: a
# process that is killed gives its memory back in its own time.
_NICE: Final = 10
_OPEN_FILES: Final = 8192
_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def memory_bytes(limit: str) -> int:
    """DuckDB's way of writing memory as a number: `1GB`, `512MiB`, `80%`."""
    found = _MEMORY.fullmatch(limit)
    if found is None:
        raise ValueError(f"{limit!r} is no amount of memory.")
    if found[4]:
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * float(found[4]) / 100)
    unit = 1024 if found[3] else 1000
    return int(float(found[1]) * unit ** (" KMGT".index(found[2].upper() or " ")))


def address_space(memory_limit: str, threads: int) -> int:
    """Where a query's process ends that gets round the engine's own limit, as long strings do."""
    return memory_bytes(memory_limit) + _MAPPED_BESIDE + threads * _MAPPED_PER_THREAD


def confine_process(request: ForkRequest, zygote: int, keep: set[int]) -> None:
    """Called first thing in a query's process, while it has one thread."""
    # Not a session of its own: Linux may share its processors out by session first, and only within one by niceness.
    os.setpgrp()
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != zygote:
            os._exit(1)
    _close_all_but(keep)
    os.nice(_NICE)
    # A second more before the kernel kills: the signal before that tells what it was.
    _limit(resource.RLIMIT_CPU, request.cpu_seconds, grace=1)
    _limit(resource.RLIMIT_FSIZE, request.file_bytes)
    _limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _limit(resource.RLIMIT_AS, request.address_space)


def confine_files(job: Job, reach: str) -> None:
    """From here on the query's files, its folder and what the interpreter loads are all there is of the file system."""
    files = [file.uri for table in job.tables.values() if isinstance(table, Snapshot) for file in table.files]
    needed = [sys.prefix, sys.base_prefix, "/lib", "/lib64", "/usr/lib", "/usr/local/lib", "/dev/urandom", "/dev/null"]
    if reach == REMOTE:
        needed += [*_LOOKED_UP, *(os.environ[name] for name in _CERTIFICATES if name in os.environ)]
    local = [] if reach == REMOTE else files
    give_up_files(read=local, write=[job.spill], use=needed, network=reach == REMOTE)


def _limit(which: int, value: int, *, grace: int = 0) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard - grace)
    resource.setrlimit(which, (value, value + grace))


def _close_all_but(keep: set[int]) -> None:
    start = 3
    for descriptor in sorted(keep):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, os.sysconf("SC_OPEN_MAX"))
