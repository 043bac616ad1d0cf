"""From a plan to SQL. A `Program` is what an engine runs: steps that make temporary tables, then the answer."""

from dataclasses import dataclass

from sqlglot import exp

from app.featurestore.query import point_in_time, spark
from app.featurestore.query.plans import LogicalPlan
from app.featurestore.query.trees import all_of, column, named, quoted, same, table, table_name
from infra.ports.engine import WRITE_ORDER, Step


@dataclass(frozen=True)
class Program:
    """`sql` and `steps` name the tables of the plan as `table_name` says, the labels `labels`, and earlier steps."""

    sql: str
    steps: tuple[Step, ...] = ()


def to_program(plan: LogicalPlan, *, ordered: bool = False) -> Program:
    """The plan for DuckDB. `ordered`: rows are in the order in which those that they are joined of were written.

    With labels rows are in the labels' order anyway; without, the matches of a key come as threads find them.
    """
    if plan.labels is None:
        query = joined(plan)
        return Program((_in_write_order(query, plan) if ordered else query).sql("duckdb"))
    steps, answer = point_in_time.staged(plan, plan.labels)
    return Program(answer.sql("duckdb"), tuple(Step(name, select.sql("duckdb")) for name, select in steps))


def to_sql(plan: LogicalPlan, dialect: str = "duckdb", *, pretty: bool = False, prefix: str = "") -> str:
    """The plan as one text in `duckdb` or `spark`, for people and for engines that take one statement.

    `prefix` goes before the names of its tables.
    """
    tree = _one_statement(plan, dialect)
    for each in tree.find_all(exp.Table) if prefix else ():
        each.set("this", quoted(prefix + each.name))
    return tree.sql(dialect=dialect, pretty=pretty)


def _one_statement(plan: LogicalPlan, dialect: str) -> exp.Select:
    if plan.labels is None:
        return joined(plan)
    if dialect == "spark":
        return spark.attached(plan, plan.labels)
    steps, answer = point_in_time.staged(plan, plan.labels)
    for name, select in steps:
        answer = answer.with_(quoted(name), as_=select, copy=False)
    return answer


def joined(plan: LogicalPlan) -> exp.Select:
    """Sources joined one after the other."""
    query = exp.select(*(_output(each.source, each.feature, each.name) for each in plan.columns)).from_(
        table(table_name(plan.sources[0]), "g0")
    )
    for index, source in enumerate(plan.sources[1:], start=1):
        left = [column(f"g{pair.left_source}", pair.left) for pair in source.on]
        right = [column(f"g{index}", pair.right) for pair in source.on]
        conditions = all_of(same(left, right))
        query = query.join(table(table_name(source), f"g{index}"), on=conditions, join_type=source.how, copy=False)
    return query


def _in_write_order(query: exp.Select, plan: LogicalPlan) -> exp.Select:
    return query.order_by(*(column(f"g{index}", WRITE_ORDER) for index in range(len(plan.sources))), copy=False)


def _output(source: int, feature: str, name: str) -> exp.Expr:
    tree = column(f"g{source}", feature)
    return tree if feature == name else named(tree, name)
