"""Structured logs: readable in a terminal, JSON everywhere else; never a secret."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

_SECRETS = re.compile(
    r"oast_(live|test)_([0-9A-Za-z]{16})_[0-9A-Za-z]{49}|(?<=://)[^/@\s:]+:[^/@\s]+(?=@)|\bA[KS]IA[0-9A-Z]{16}\b"
    r"|\beyJ[\w-]+\.eyJ[\w-]+\.[\w-]+|(?<=Signature=)[0-9a-f]{64}\b"
)
_SECRET_FIELDS = frozenset(
    {"authorization", "cookie", "set-cookie", "password", "secret", "api_key", "token", "security_token"}
)


def redact(text: str) -> str:
    """Take API keys (their public id stays), sessions, URL passwords, AWS key ids and signatures out of `text`."""
    return _SECRETS.sub(lambda match: f"oast_{match[1]}_{match[2]}_***" if match[1] else "***", text)


def _redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for field, value in event.items():
        if field.lower() in _SECRET_FIELDS:
            event[field] = "***"
        elif isinstance(value, str):
            event[field] = redact(value)
    return event


def configure_logs(level: str, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers through one chain to `stream` (default: standard error)."""
    target = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if target.isatty()
        else structlog.processors.JSONRenderer()
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # botocore prints signed headers at debug level.
    logging.getLogger("botocore").setLevel(max(logging.INFO, root.level))
    # sqlglot quotes in its warnings what somebody wrote into SQL.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
