"""How `oast` speaks: tables for people, JSON for programs, errors with the next step."""

import functools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from typing import Any, TypeVar, cast

import click
from alembic.util import CommandError
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from sqlalchemy.exc import SQLAlchemyError

from infra.errors import GatewayError
from infra.observability.logs import redact

Command = TypeVar("Command", bound=Callable[..., Any])


def with_json(command: Command) -> Command:
    """Add `--json`, and print errors as one line and a hint instead of a traceback."""

    @click.option("--json", "as_json", is_flag=True, help="Print JSON.")
    @functools.wraps(command)
    def wrapped(*args: Any, as_json: bool, **kwargs: Any) -> None:
        try:
            command(*args, Output(as_json=as_json), **kwargs)
        except GatewayError as error:
            _fail(error.detail, error.hint, error.candidates, error.code, as_json=as_json)
        except CommandError as error:
            _fail(f"{error}.", "Is this gateway older than its database?", (), "migration-failed", as_json=as_json)
        except (OSError, SQLAlchemyError) as error:
            _fail(_first_line(error), "`oast doctor` looks at each part.", (), "part-unusable", as_json=as_json)
        except ValidationError as error:
            fields = "; ".join(f"OAST_{'__'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
            _fail(
                f"The settings are not valid. {fields}",
                "docs/settings.md lists them.",
                (),
                "settings-not-valid",
                as_json=as_json,
            )

    return cast("Command", wrapped)


def _first_line(error: Exception) -> str:
    return redact((str(error) or type(error).__name__).splitlines()[0])


class Output:
    """Where a command's answer goes."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        # Piped output is read by programs too: nothing is wrapped there.
        self._console = Console(width=None if sys.stdout.isatty() else 1000)

    def note(self, text: str) -> None:
        """For people only."""
        if not self._as_json:
            self._console.print(text, highlight=False, markup=False, emoji=False, soft_wrap=True)

    def record(self, record: Any, text: str) -> None:
        """One thing: `text` for people, all of it for programs."""
        self.note(text)
        if self._as_json:
            print(json.dumps(_plain(record), indent=2, default=str))  # noqa: T201 the command's answer

    def rows(self, rows: Sequence[Any], columns: Sequence[str]) -> None:
        """Many things: `columns` of them for people, all of them for programs."""
        if self._as_json:
            print(json.dumps([_plain(row) for row in rows], indent=2, default=str))  # noqa: T201 the command's answer
            return
        if not rows:
            self.note("none")
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column.endswith("id"))
        for row in rows:
            values = _plain(row)
            table.add_row(*(_cell(values[column]) for column in columns))
        self._console.print(table, soft_wrap=True)


def _fail(detail: str, hint: str | None, candidates: Sequence[str], code: str, *, as_json: bool) -> None:
    if as_json:
        body = {"code": code, "detail": detail, "hint": hint, "candidates": list(candidates)}
        print(json.dumps(body, indent=2), file=sys.stderr)  # noqa: T201 the command's answer
    else:
        click.echo(f"error: {detail}", err=True)
        if candidates:
            click.echo(f"  did you mean: {', '.join(candidates)}", err=True)
        if hint:
            click.echo(f"  next: {hint}", err=True)
    sys.exit(1)


def _plain(record: Any) -> dict[str, Any]:
    return asdict(record) if is_dataclass(record) and not isinstance(record, type) else dict(record)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return value.strftime("%Y-%m-%d %H:%M") if hasattr(value, "strftime") else str(value)
