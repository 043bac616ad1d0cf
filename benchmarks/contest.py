"""The same work done in several ways, each in a fresh process that is watched from here.

`python -m benchmarks.contest <way>` is such a process: it reads its task, prepares, and then does on each line what the
line says: `run` once, `check` what came of it. Answers are JSON lines.
"""

import importlib
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa

from benchmarks.checksums import Checksum
from benchmarks.histories import ROW, answer_schema

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Spent:
    """What a way's own process took, from the go-ahead to the answer."""

    seconds: float
    cpu: float
    rows: int
    counts: Mapping[str, int]


class Contestant:
    """One way in a fresh process, prepared and waiting."""

    def __init__(self, way: str, process: subprocess.Popen[str]) -> None:
        self._way = way
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self) -> Spent:
        self.begin()
        return self.end()

    def begin(self) -> None:
        self._say("run")

    def end(self) -> Spent:
        """Wait for what `begin` began."""
        return Spent(**self._answer())

    def checksum(self) -> str | None:
        """None for a way that has nothing to compare."""
        self._say("check")
        found: str | None = self._answer()["checksum"]
        return found

    def await_ready(self) -> None:
        self._answer()

    def _say(self, what: str) -> None:
        assert self._process.stdin is not None
        print(what, file=self._process.stdin, flush=True)

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._way} ended with status {self._process.wait()} and no answer.")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def contestant(way: str, task: Mapping[str, Any], python: str = sys.executable) -> Iterator[Contestant]:
    process = subprocess.Popen(
        [python, "-m", "benchmarks.contest", way], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdin is not None
        print(json.dumps(task), file=process.stdin, flush=True)
        found = Contestant(way, process)
        try:
            found.await_ready()
            yield found
            process.stdin.close()
        except BaseException:
            process.kill()
            raise


def _take_part(way: str, asked: TextIO, answers: TextIO) -> None:
    def answer(**content: Any) -> None:
        print(json.dumps(content), file=answers, flush=True)

    run, answered = importlib.import_module(f"benchmarks.ways.{way}").prepare(json.loads(asked.readline())), None
    answer(ready=True)
    for line in asked:
        if line.strip() == "check":
            answer(checksum=_checksum(answered))
            continue
        cpu, started = _cpu(), time.perf_counter()
        answered = run()
        answer(**asdict(Spent(time.perf_counter() - started, _cpu() - cpu, answered.rows, answered.counts)))


def _checksum(answered: Any) -> str | None:
    if not isinstance(answered.table, pa.Table):
        found: str | None = answered.checksum
        return found
    checksum = Checksum(answer_schema(), ROW)
    checksum.add(answered.table)
    return checksum.value()


def _cpu() -> float:
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in spent)


if __name__ == "__main__":
    # Libraries may print; only answers go where they are read.
    with os.fdopen(os.dup(1), "w") as channel:
        os.dup2(2, 1)
        _take_part(sys.argv[1], sys.stdin, channel)
