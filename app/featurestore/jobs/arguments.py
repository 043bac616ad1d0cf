"""Arguments of a job as JSON, read into the frozen command that they stand for."""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from infra.errors import InvalidInputError

Command = TypeVar("Command")


class Arguments(Generic[Command]):
    """`command` is a dataclass; what it does not know is refused at every depth."""

    def __init__(self, command: type[Command]) -> None:
        self._adapter = TypeAdapter(command)

    def accept(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments with every default, as JSON. Raises InvalidInputError listing every field that is wrong."""
        stored: dict[str, Any] = self._adapter.dump_python(self.read(given), mode="json")
        unknown = list(_unknown(given, stored))
        if unknown:
            raise InvalidInputError(
                f"There is no argument {unknown[0][:80]!r}.",
                candidates=sorted(stored),
                errors=[{"field": name[:80], "message": "is not known"} for name in unknown[:20]],
            )
        return stored

    def read(self, stored: Mapping[str, Any]) -> Command:
        try:
            return self._adapter.validate_python(dict(stored))
        except ValidationError as error:
            wrong: list[dict[str, object]] = [
                {"field": ".".join(map(str, each["loc"]))[:80], "message": each["msg"]}
                for each in error.errors(include_url=False, include_input=False)
            ]
            raise InvalidInputError(
                f"Some arguments are not valid: {', '.join(str(each['field']) for each in wrong[:10])}.",
                errors=wrong[:20],
            ) from error


def _unknown(given: Any, stored: Any, path: str = "") -> Any:
    """Names in `given` that reading has left out."""
    if isinstance(given, Mapping) and isinstance(stored, Mapping):
        for name, value in given.items():
            if name not in stored:
                yield f"{path}{name}"
            else:
                yield from _unknown(value, stored[name], f"{path}{name}.")
    elif isinstance(given, list | tuple) and isinstance(stored, list) and len(given) == len(stored):
        for position, (value, kept) in enumerate(zip(given, stored, strict=True)):
            yield from _unknown(value, kept, f"{path}{position}.")
