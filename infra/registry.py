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
            raise InvalidInputError(f"There is no {self._group.rpartition('.')[2]} {name!r}.", candidates=tuple(self))
        return self._known[name]
