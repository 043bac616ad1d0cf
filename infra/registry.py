"""Named implementations of a port, found through Python entry points or registered by bootstrap."""

from collections.abc import Iterator, Mapping
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from infra.errors import InvalidInputError

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps a lower-case name to an implementation; entry points of `group` are loaded on first use."""

    def __init__(self, group: str, built_in: Mapping[str, T]) -> None:
        self._group = group
        self._known = dict(built_in)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self._known, *(point.name for point in entry_points(group=self._group))}))

    def load(self, name: str) -> T:
        """The implementation called `name`; raises InvalidInputError listing what there is."""
        if name not in self._known:
            for point in entry_points(group=self._group, name=name):
                self._known[name] = point.load()()
        if name not in self._known:
            raise InvalidInputError(
                f"This gateway knows no {self._one} {name!r}.",
                hint=f"Its operator adds others with packages that have an entry point in {self._group!r}.",
                candidates=tuple(self),
            )
        return self._known[name]

    @property
    def _one(self) -> str:
        """The group's name as a person says it: `oasthouse.job_kinds` holds job kinds."""
        return self._group.rpartition(".")[2].removesuffix("s").replace("_", " ")
