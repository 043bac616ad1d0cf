"""What a source says, for the gateway's log."""

from typing import Final

from infra.ports.sources import SqlTarget

_MOST: Final = 1000


def words_of(error: Exception, target: SqlTarget) -> str:
    """Without the password: a server that was given it may say it again."""
    text = f"{type(error).__name__}: {error}"
    secret = target.password.reveal() if target.password else ""
    return (text.replace(secret, "…") if secret else text)[:_MOST]
