"""Reads the files of a connector as one table: listed once, copied once, then looked at as often as needed."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from app.featurestore.imports.columns import MOST_LEVELS, require_importable
from app.featurestore.imports.folders import ChosenFile, choose, folder_types, nearby
from app.featurestore.imports.names import feature_name, feature_names
from app.featurestore.imports.schemas import DescribedFile, WantedFeature, unified_schema
from app.featurestore.imports.spool import FileStore
from app.featurestore.jobs.handlers import RunLog
from infra.errors import GatewayError
from infra.ports.files import FileSource, SourceFileNotFoundError
from infra.ports.imports import ImportFormat, NotReadable, SourceFileInvalidError


@dataclass(frozen=True)
class FileRows:
    """What lies at `path`. `wanted` says the types that features shall have, where somebody said so."""

    source: FileSource
    path: str
    reader: ImportFormat
    wanted: WantedFeature
    log: RunLog

    def read(self, store: FileStore) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """The schema of all files together, for which each was read once; and their rows, file by file."""
        self.log.progress("listing")
        files = self._chosen()
        self.log.line(f"{len(files):,} files, {sum(file.entry.size for file in files):,} bytes.")
        described = [self._described(file, number, store) for number, file in enumerate(files)]
        folders = folder_types(files, self.wanted)
        schema = unified_schema(described, folders, self.wanted)
        return schema, self._batches(described, folders, schema, store)

    def _chosen(self) -> list[ChosenFile]:
        path = self.path.strip("/")
        files = choose(self.source.list_files(path), path)
        if files:
            return files
        raise SourceFileNotFoundError(
            f"There is no file at or below {path[:200]!r}." if path else "The connector leads to no file.",
            hint="Files and folders whose names begin with _ or . are left out.",
            candidates=self._nearby(path),
        )

    def _nearby(self, path: str) -> list[str]:
        """What the nearest folder that is there holds; nothing where even a listing is too much."""
        while path:
            path, _, name = path.rpartition("/")
            with suppress(GatewayError):
                if found := self.source.list_files(path):
                    return nearby(found, path, name)
        return []

    def _described(self, file: ChosenFile, number: int, store: FileStore) -> DescribedFile:
        with self.source.open_input(file.entry) as opened:
            store.add(opened)
        self.log.progress("listing", 0, store.size)
        with _named(file):
            schema = self.reader.schema(store.get(number), self._wanted_by_column)
            require_importable(schema)
            return DescribedFile(file, schema)

    def _wanted_by_column(self, column: str) -> pa.DataType | None:
        return self.wanted(feature_name(column))

    def _batches(
        self, files: list[DescribedFile], folders: dict[str, pa.DataType], schema: pa.Schema, store: FileStore
    ) -> Iterator[pa.RecordBatch]:
        for number, described in enumerate(files):
            with _named(described.file):
                values = {
                    name: _folder_value(name, text, folders[name]) for name, text in described.file.folders.items()
                }
                for batch in self.reader.batches(store.get(number), described.schema):
                    yield _fitted(batch, values, schema)


def _fitted(batch: pa.RecordBatch, folders: dict[str, pa.Scalar], schema: pa.Schema) -> pa.RecordBatch:
    """The batch with every column of the schema; raises NotReadable."""
    names = feature_names(batch.schema.names)
    columns = dict(zip(names, batch.columns, strict=True))
    for name, value in folders.items():
        if name in columns:
            _require_equal(name, columns[name], value)
        else:
            columns[name] = pa.repeat(value, batch.num_rows)
    fitted = [_fit(columns.get(field.name), field, batch.num_rows) for field in schema]
    return pa.RecordBatch.from_arrays(fitted, names=schema.names)


def _fit(column: pa.Array | None, field: pa.Field, rows: int) -> pa.Array:
    if column is None:
        return pa.nulls(rows, field.type)
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if pa.types.is_dictionary(column.type) and column.type.value_type == field.type:
        return column  # unfolded later, a portion at a time
    try:
        # Times finer than a microsecond are cut, as everywhere; everything else must fit exactly.
        return pc.cast(column, options=pc.CastOptions(field.type, allow_time_truncate=True))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise NotReadable(
            f"holds in column {field.name!r} a value that is no {field.type}, which it is together with other files.",
            column=field.name,
        ) from error


def _folder_value(name: str, text: str | None, kind: pa.DataType) -> pa.Scalar:
    try:
        return pc.cast(pa.scalar(text, pa.string()), kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise NotReadable(f"lies below a folder {name}= whose value is no {kind}.", column=name) from error


def _require_equal(name: str, column: pa.Array, value: pa.Scalar) -> None:
    if value.is_valid:
        try:
            same = pc.all(pc.fill_null(pc.equal(column, pc.cast(value, column.type)), fill_value=False)).as_py()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            same = False
    else:
        same = column.null_count == len(column)
    if same is False:
        raise NotReadable(
            f"holds in column {name!r} another value than the folder {name}= that it lies in.",
            hint="One of the two is wrong. Import from within the folder to leave its name out.",
            column=name,
        )


@contextmanager
def _named(file: ChosenFile) -> Iterator[None]:
    """Says which file it is that cannot be read."""
    path = file.entry.path[:200]
    try:
        yield
    except RecursionError as error:
        raise SourceFileInvalidError(
            f"{path!r} holds more than {MOST_LEVELS} levels of lists and records.", hint="Write it flatter, or as text."
        ) from error
    except NotReadable as error:
        raise SourceFileInvalidError(
            f"{path!r} {error.what}",
            hint=error.hint,
            errors=[{"field": error.column[:80], "message": error.what, "file": path}] if error.column else (),
        ) from error
