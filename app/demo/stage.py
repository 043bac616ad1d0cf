"""What every demo begins and ends with: what it needs is there, signals end it, and its directory goes."""

import importlib.util
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from infra.errors import InvalidInputError

INTERRUPTED = 128 + signal.SIGINT

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoNotInstalledError(InvalidInputError):
    """What the demo runs is missing: the demo extra, or the S3 server."""

    code = "demo-not-installed"


def on_stage(play: Callable[[Path, ExitStack], int]) -> int:
    """The exit code of `play`, which gets a directory and a stack for what is to be stopped; 130 if it was interrupted."""
    try:
        with _signals_as_interrupt(), ExitStack() as parts:
            place = tempfile.TemporaryDirectory(prefix="oast-demo-", ignore_cleanup_errors=True)
            return play(Path(parts.enter_context(place)), parts)
    except KeyboardInterrupt:
        return INTERRUPTED


def require_tour(tour: str) -> Path:
    script = Path(tour)
    if not script.is_file():
        hint = "Run it in a checkout of the repository, or name a script: oast demo --tour path/to/tour.py"
        raise InvalidInputError(f"There is no tour at {script.absolute()}.", hint=hint)
    return script.absolute()


def require_packages(needed: Sequence[str]) -> None:
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if missing:
        raise DemoNotInstalledError(
            f"The demo needs packages that are not installed: {', '.join(missing)}.",
            hint='pip install "oasthouse[demo]"   (in a checkout: make demo)',
        )


@contextmanager
def _signals_as_interrupt() -> Iterator[None]:
    """A closed terminal and a `kill` end the demo as Ctrl-C does: by default they would leave the servers running."""
    before = {number: signal.signal(number, _interrupt) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 the signature of a signal handler
    # Only the first counts: another one, in the middle of the stopping, would leave a server behind.
    for ending in _ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    raise KeyboardInterrupt
