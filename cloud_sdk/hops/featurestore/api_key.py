"""The key, held so that it does not show by accident."""

from __future__ import annotations

from typing import Callable, NoReturn


class SecretText(str):
    """Text that goes out as it is and prints as `***`, also inside a dict that a traceback shows."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class ApiKey:
    """Prints as `***`, has no `__dict__`, refuses to be pickled or copied. `reveal()` is for the transport alone.

    Code in the same process can always dig it out of memory; this keeps it out of what people print, log and save.
    """

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        # In a closure: dumping slots or attributes shows a function, not the text.
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        return self._reveal()

    def header(self) -> SecretText:
        return SecretText("ApiKey " + self.reveal())

    def renew(self, refused: str) -> bool:  # noqa: ARG002 - what stands in its place can
        """A key that was refused stays refused."""
        return False

    def close(self) -> None:
        """There is nothing to close."""

    def __repr__(self) -> str:
        return "***"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("An API key cannot be pickled or copied; connect again where it is needed.")
