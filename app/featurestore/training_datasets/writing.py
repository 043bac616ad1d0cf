"""Rows become files and a manifest."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as distribution_version
from typing import Any, Final

import pyarrow as pa

from app.featurestore.feature_groups.types import to_hive
from app.featurestore.training_datasets.anomalies import AnomalyWatch
from app.featurestore.training_datasets.files import DatasetFiles, WrittenFile, content_hash
from app.featurestore.training_datasets.infos import Manifest
from app.featurestore.training_datasets.rows import Rows
from app.featurestore.training_datasets.splits import Splits, split_rows
from infra.ports.formats import DataFormat, DescribedFormat, RowDescriber

CREATE: Final = "create"
# What decides about the bytes of a file.
_CODE: Final = ("oasthouse", "pyarrow", "duckdb", "numpy")
_Schema = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Form:
    """How rows are written. `labels` are the columns to be predicted."""

    data_format: DataFormat
    splits: Splits | None = None
    labels: tuple[str, ...] = ()
    fixed: bool = True


@dataclass(frozen=True)
class Write:
    """One time that rows are written: when, by whom, and which it is of the dataset's."""

    at: str
    by: str
    mode: str = CREATE
    number: int = 0


@dataclass(frozen=True)
class Written:
    files: list[dict[str, Any]]
    write: dict[str, Any]
    anomalies: list[dict[str, Any]]
    tf_record_schema: _Schema | None


def write_rows(
    files: DatasetFiles, rows: Rows, form: Form, write: Write, before: Mapping[str, Any] | None = None
) -> Written:
    """`before` is the manifest of the rows that these come after; theirs are the first numbers of parts."""
    watch = AnomalyWatch(rows.schema, form.labels)
    describer = _describer(form, rows.schema, before)
    seen = _seen(rows.batches, watch, describer)
    after = _parts_by_split(before)
    if form.splits is None:
        written = files.write_parts(form.data_format, seen, rows.schema, after=after.get(None, 0))
    else:
        written = _split(files, rows.schema, seen, form.data_format, form.splits, after)
    return Written(
        files=[asdict(file) for file in written],
        write={"at": write.at, "by": write.by, "mode": write.mode, "rows": sum(file.rows for file in written)},
        anomalies=[{**asdict(anomaly), "write": write.number} for anomaly in watch.found()],
        tf_record_schema=None if describer is None else describer.described(),
    )


def new_manifest(
    rows: Rows, form: Form, written: Written, created_at: str, label_file: WrittenFile | None = None
) -> dict[str, Any]:
    return asdict(
        Manifest(
            files=written.files,
            features=[{"name": column.name, "type": to_hive(column.type)} for column in rows.schema],
            rows=written.write["rows"],
            data_format=form.data_format.name,
            created_at=created_at,
            oasthouse_version=distribution_version("oasthouse"),
            splits=None if form.splits is None else asdict(form.splits),
            labels=list(form.labels),
            label_file=None if label_file is None else asdict(label_file),
            fixed=form.fixed,
            tf_record_schema=written.tf_record_schema,
            anomalies=written.anomalies,
            writes=[written.write],
            code_versions=code_versions(),
            content_hash=content_hash(written.files),
            **rows.origin,
        )
    )


def replaced_manifest(old: Mapping[str, Any], written: Written) -> dict[str, Any]:
    """The rows come from nowhere but a frame now."""
    nowhere: dict[str, Any] = {"query": None, "sql": None, "sql_options": None, "engine": None, "groups": []}
    return _rewritten({**old, **nowhere}, written, written.files, written.anomalies)


def extended_manifest(old: Mapping[str, Any], written: Written) -> dict[str, Any]:
    files = sorted([*old["files"], *written.files], key=lambda file: _place(file, old))
    return _rewritten(old, written, files, [*old.get("anomalies", ()), *written.anomalies])


def size_of(manifest: Mapping[str, Any]) -> int:
    """In bytes, of the files that hold rows."""
    return sum(file["bytes"] for file in manifest["files"])


def code_versions() -> dict[str, str]:
    return {name: distribution_version(name) for name in _CODE}


def _rewritten(
    old: Mapping[str, Any], written: Written, files: list[dict[str, Any]], anomalies: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        **old,
        "files": files,
        "rows": sum(file["rows"] for file in files),
        "tf_record_schema": written.tf_record_schema,
        "anomalies": anomalies,
        "writes": [*old.get("writes", ()), written.write],
        "label_file": None,
        "code_versions": code_versions(),
        "content_hash": content_hash(files),
    }


def _place(file: Mapping[str, Any], manifest: Mapping[str, Any]) -> tuple[int, str]:
    """Split by split in their order, part by part."""
    order = list((manifest.get("splits") or {}).get("shares", ()))
    split = file.get("split")
    return (0 if split is None else order.index(split), file["path"])


def _parts_by_split(before: Mapping[str, Any] | None) -> dict[str | None, int]:
    counts: dict[str | None, int] = {}
    for file in () if before is None else before["files"]:
        counts[file.get("split")] = counts.get(file.get("split"), 0) + 1
    return counts


def _describer(form: Form, schema: pa.Schema, before: Mapping[str, Any] | None) -> RowDescriber | None:
    if not isinstance(form.data_format, DescribedFormat):
        return None
    earlier = None if before is None else before.get("tf_record_schema")
    return form.data_format.describer(schema, fixed=form.fixed, earlier=earlier)


def _seen(
    batches: Iterator[pa.RecordBatch], watch: AnomalyWatch, describer: RowDescriber | None
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        watch.see(batch)
        if describer is not None:
            describer.see(batch)
        yield batch


def _split(
    files: DatasetFiles,
    schema: pa.Schema,
    batches: Iterator[pa.RecordBatch],
    data_format: DataFormat,
    splits: Splits,
    after: Mapping[str | None, int],
) -> list[WrittenFile]:
    written: list[WrittenFile] = []
    with split_rows(batches, schema, splits) as rows_of:
        for name, rows in rows_of.items():
            written += files.write_parts(data_format, rows, schema, split=name, after=after.get(name, 0))
    return written
