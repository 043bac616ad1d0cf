"""From a plan to SQL, built as a tree: names never meet text."""

from sqlglot import exp

from app.featurestore.query.planner import LogicalPlan, Source


def to_sql(plan: LogicalPlan, dialect: str = "duckdb", *, pretty: bool = False) -> str:
    """The plan in `dialect`. Its tables are called as `table_name` says; they are the only ones it names."""
    query = exp.select(
        *(exp.column(_quoted(column.name), table=_alias(column.source)) for column in plan.columns)
    ).from_(_table(plan.sources[0], 0))
    for index, source in enumerate(plan.sources[1:], start=1):
        conditions = [
            exp.EQ(
                this=exp.column(_quoted(key), table=_alias(0)), expression=exp.column(_quoted(key), table=_alias(index))
            )
            for key in plan.join_key
        ]
        query = query.join(_table(source, index), on=exp.and_(*conditions), join_type=plan.join_type)
    return query.sql(dialect=dialect, pretty=pretty)


def table_name(source: Source) -> str:
    """What a source is called in the SQL: unique in the plan, and readable."""
    return f"{source.group.featurestore}__{source.group.name}_{source.group.version}"


def _table(source: Source, index: int) -> exp.Expr:
    return exp.alias_(exp.table_(_quoted(table_name(source))), _alias(index), table=True)


def _alias(index: int) -> exp.Identifier:
    return exp.to_identifier(f"g{index}")


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
