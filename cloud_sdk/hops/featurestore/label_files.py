"""Labels in a file, read a few rows at a time."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Union

from hops.featurestore.errors import InvalidInputError
from hops.featurestore.extras import require

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS: Dict[str, Union[str, List[str]]] = {".parquet": "parquet", ".arrow": "ipc", ".feather": "ipc", ".csv": "csv"}


def file_batches(path: Path) -> pa.RecordBatchReader:
    """Raises InvalidInputError, also while it is read, of a file that is not what its name says."""
    pa = require("pyarrow")
    import pyarrow.dataset

    if path.suffix not in FORMATS:
        raise InvalidInputError(f"{path.name!r} is no file of labels.", candidates=list(FORMATS))
    if not path.exists():
        raise InvalidInputError(
            f"There is no file {str(path)!r}.", hint=f"A path without folder is looked for in {Path.cwd()}."
        )
    with _readable(path):
        dataset = pyarrow.dataset.dataset(str(path), format=FORMATS[path.suffix])
    return pa.RecordBatchReader.from_batches(dataset.schema, _batches(dataset, path))


def _batches(dataset: Any, path: Path) -> Iterator[pa.RecordBatch]:
    batches = iter(dataset.to_batches())
    while True:
        with _readable(path):
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    pa = require("pyarrow")
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InvalidInputError(f"The labels {path.name!r} cannot be read: {error}", hint=_hint(path)) from error


def _hint(path: Path) -> str:
    if path.suffix == ".csv":
        return (
            "Each line needs as many columns as the first, which names them; types are those of the first megabyte. "
            "pandas.read_csv reads what is less regular, and its frame can be the spine."
        )
    return f"Is it complete, and a file of the kind that {path.suffix} says?"
