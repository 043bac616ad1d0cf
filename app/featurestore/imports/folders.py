"""Which files an import takes, and what the names of their folders say. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from urllib.parse import unquote

import pyarrow as pa

from app.featurestore.imports.names import feature_name
from infra.errors import InvalidInputError
from infra.ports.files import FileEntry

_NULL = "__HIVE_DEFAULT_PARTITION__"
_FOLDER_MARK = "_$folder$"  # EMR's and Hadoop's own, empty
_WHOLE = re.compile(r"-?\d{1,18}")
_INT_BITS = 31


@dataclass(frozen=True)
class ChosenFile:
    """A file to import, and the values of its folders by feature name, as they are written; None is null."""

    entry: FileEntry
    folders: dict[str, str | None]


def choose(entries: Sequence[FileEntry], path: str) -> list[ChosenFile]:
    """Those that are not hidden, with the folders `name=value` below `path`. Raises where these differ between files."""
    found = [ChosenFile(entry, _folders(entry, path)) for entry in entries if not _is_hidden(entry, path)]
    for file in found:
        if file.folders.keys() != found[0].folders.keys():
            raise InvalidInputError(
                f"{file.entry.path[:200]!r} and {found[0].entry.path[:200]!r} lie below folders of other names: "
                f"{_told(file)} and {_told(found[0])}.",
                hint="Import a folder in which all files are partitioned alike.",
            )
    return found


def folder_types(files: Sequence[ChosenFile], wanted: Callable[[str], pa.DataType | None]) -> dict[str, pa.DataType]:
    """What the values of folders are: as wanted, else int or bigint if every one is a whole number, else text."""
    types: dict[str, pa.DataType] = {}
    for name in files[0].folders if files else ():
        told = {file.folders[name] for file in files} - {None}
        whole = all(_WHOLE.fullmatch(str(value)) for value in told)
        small = whole and all(abs(int(str(value))) >> _INT_BITS == 0 for value in told)
        types[name] = wanted(name) or (pa.int32() if small else pa.int64() if whole else pa.string())
    return types


def nearby(entries: Sequence[FileEntry], parent: str, name: str) -> list[str]:
    """Paths beside `name` in the folder `parent`, the most alike first."""
    start = len(parent) + 1 if parent else 0
    names = sorted({entry.path[start:].split("/")[0] for entry in entries if entry.path[start:]})
    alike = get_close_matches(name, names, n=5, cutoff=0.5) or names[:5]
    return ["/".join(filter(None, (parent, each))) for each in alike]


def _below(entry: FileEntry, path: str) -> list[str]:
    """What stands between slashes below `path`; a file that is the path itself has only its name."""
    if entry.path == path:
        return [entry.path.rpartition("/")[2]]
    return entry.path.removeprefix(f"{path}/" if path else "").split("/")


def _is_hidden(entry: FileEntry, path: str) -> bool:
    parts = _below(entry, path)
    if entry.path == path:
        return False  # asked for by name
    return any(part.startswith(("_", ".")) for part in parts) or parts[-1].endswith(_FOLDER_MARK)


def _folders(entry: FileEntry, path: str) -> dict[str, str | None]:
    folders: dict[str, str | None] = {}
    for part in _below(entry, path)[:-1]:
        name, equals, value = part.partition("=")
        if not equals:
            continue
        name = feature_name(unquote(name))
        if name in folders:
            raise InvalidInputError(f"{entry.path[:200]!r} lies below two folders {name!r}=.")
        folders[name] = None if value == _NULL else unquote(value)
    return folders


def _told(file: ChosenFile) -> str:
    return ", ".join(f"{name}=" for name in file.folders) or "none"
