"""From a manifest back to what was asked, pinned to the states of the tables that were read."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from app.featurestore.feature_groups.frames import ARROW_STREAM, Frame, Upload
from app.featurestore.query.expression import FeatureExpression, JoinSpec, LabelsSpec
from app.featurestore.sql.reading import Dialect
from app.featurestore.sql.service import SqlQuery
from app.featurestore.training_datasets.errors import NotReproducibleError
from app.featurestore.training_datasets.files import DatasetFiles
from app.featurestore.training_datasets.infos import CreateTrainingDataset
from app.featurestore.training_datasets.splits import Splits
from app.featurestore.training_datasets.writing import CREATE, code_versions
from tenancy.projects.service import feature_store_name

# Our own file, checked when it came.
_ANY_SIZE: Final = 1 << 62


def recipe(manifest: Mapping[str, Any]) -> CreateTrainingDataset:
    """The command that made it, without a name of its own. Raises NotReproducibleError."""
    writes = [write["mode"] for write in manifest.get("writes", ())]
    if writes != [CREATE]:
        why = "rows were written to it since" if writes else "it was made before this was recorded"
        raise NotReproducibleError(
            f"It cannot be made again: {why}.", hint="Create another one from the same features."
        )
    if manifest["query"] is None and manifest["sql"] is None:
        raise NotReproducibleError(
            "It was made from a frame, and nobody but its sender has that.", hint="Create another one from the frame."
        )
    splits = manifest["splits"]
    command = CreateTrainingDataset(
        name="",
        data_format=manifest["data_format"],
        splits=None if splits is None else Splits(**{**splits, "columns": tuple(splits["columns"])}),
        fixed=manifest["fixed"],
        label=manifest["labels"][0] if len(manifest["labels"]) == 1 else None,
        engine=manifest.get("engine"),
    )
    if manifest["query"] is not None:
        return replace(command, query=_pinned(manifest["query"], manifest["groups"]))
    options = dict(manifest["sql_options"])
    dialect = options.pop("dialect")
    return replace(
        command, sql=SqlQuery(manifest["sql"], dialect=None if dialect is None else Dialect(dialect), **options)
    )


def code_changed(manifest: Mapping[str, Any]) -> list[str]:
    recorded, present = manifest["code_versions"], code_versions()
    return [f"{name} {recorded.get(name)} → {now}" for name, now in present.items() if recorded.get(name) != now]


def require_same_groups(recorded: Sequence[Mapping[str, Any]], read: Sequence[Mapping[str, Any]]) -> None:
    """Names are looked up anew: by now they may mean another group."""
    if list(recorded) != list(read):
        was, now = (
            ", ".join(f"{group['project']}.{group['name']}_{group['version']}" for group in groups)
            for groups in (recorded, read)
        )
        raise NotReproducibleError(f"Its features are read from other groups by now: {now} in place of {was}.")


@contextmanager
def kept_labels(files: DatasetFiles, label_file: Mapping[str, Any] | None) -> Iterator[Frame | None]:
    """The labels that came as a frame, as a frame again. Raises StorageUnavailableError for others than those that came."""
    if label_file is None:
        yield None
        return
    with tempfile.NamedTemporaryFile(prefix="oast-") as spool:
        files.copy_to(cast("BinaryIO", spool), label_file)
        spool.flush()
        yield Frame(Upload(Path(spool.name), ARROW_STREAM, label_file["rows"], _ANY_SIZE))


def _pinned(recorded: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]) -> FeatureExpression:
    """`as_of` is the version that was read, whatever it said then; groups that came later are not looked at."""
    stores = {feature_store_name(group["project"]) for group in groups}
    joins = {name: JoinSpec(**_tuples(join)) for name, join in recorded["joins"].items()}
    labels = recorded["labels"]
    return FeatureExpression(
        **{
            **_tuples(recorded),
            "featurestore": stores.pop() if len(stores) == 1 else recorded["featurestore"],
            "feature_group_versions": recorded["feature_group_versions"] or _versions(groups),
            "joins": joins,
            "labels": None if labels is None else LabelsSpec(**_tuples(labels)),
            "as_of": {
                f"{feature_store_name(group['project'])}.{group['name']}_{group['version']}": group["table_version"]
                for group in groups
            },
        }
    )


def _versions(groups: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """By name; empty, which limits nothing, where two versions of a group or two stores' groups have one name."""
    versions = {group["name"]: group["version"] for group in groups}
    return versions if len(versions) == len(groups) else {}


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
