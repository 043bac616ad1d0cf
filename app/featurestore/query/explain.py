"""A plan for people and for programs. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.featurestore.query.lowering import to_sql
from app.featurestore.query.planner import LogicalPlan


@dataclass(frozen=True)
class ExplainedGroup:
    project: str
    featurestore: str
    name: str
    version: int
    table_version: int
    columns: list[str]
    why: str
    grant: str


@dataclass(frozen=True)
class Explanation:
    sql: str
    join_key: list[str]
    join_type: str
    columns: list[str]
    groups: list[ExplainedGroup]
    text: str


def explain(plan: LogicalPlan, table_versions: Sequence[int]) -> Explanation:
    """`table_versions` are the versions that the sources would be read at, in their order."""
    groups = [
        ExplainedGroup(
            project=source.group.project,
            featurestore=source.group.featurestore,
            name=source.group.name,
            version=source.group.version,
            table_version=version,
            columns=list(source.columns),
            why=source.why,
            grant=source.group.grant,
        )
        for source, version in zip(plan.sources, table_versions, strict=True)
    ]
    sql = to_sql(plan, pretty=True)
    names = [column.name for column in plan.columns]
    return Explanation(sql, list(plan.join_key), plan.join_type, names, groups, _text(plan, groups, sql))


def _text(plan: LogicalPlan, groups: Sequence[ExplainedGroup], sql: str) -> str:
    joined = f", {plan.join_type} join on {', '.join(plan.join_key)}" if plan.join_key else ""
    lines = [f"{len(plan.columns)} features from {len(groups)} feature groups{joined}"]
    for index, group in enumerate(groups):
        branch = "└─" if index == len(groups) - 1 else "├─"
        lines.append(
            f"{branch} {group.featurestore}.{group.name}_{group.version} (table version {group.table_version})"
        )
        stem = "  " if index == len(groups) - 1 else "│ "
        lines.append(f"{stem}   columns  {', '.join(group.columns)}")
        lines.append(f"{stem}   why      {group.why}")
        lines.append(f"{stem}   allowed  {group.grant}")
    return "\n".join([*lines, "", sql])
