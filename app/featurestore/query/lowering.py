"""From a plan to SQL. A `Program` is what an engine runs: steps that make temporary tables, then the answer."""

from dataclasses import dataclass

from sqlglot import exp

from app.featurestore.query import point_in_time, spark
from app.featurestore.query.plans import LogicalPlan
from app.featurestore.query.trees import all_of, call, column, named, quoted, same, table, table_name, whole
from infra.ports.engine import WRITE_ORDER, Step

# After every row that was written.
_LAST = (1 << 63) - 1


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


def to_numbered_sql(plan: LogicalPlan) -> str:
    """The plan in Spark's SQL: columns `c0`, `c1`, … as the plan has them, then as many of `n0`, … as `numbers` says.

    Rows are in the order of the latter, which is the labels' or that in which rows were written, and never null; no two rows
    have the same. Names of users stay out of the answer, since not every Spark writes every name to Parquet.
    """
    tree = _one_statement(plan, "spark")
    outputs = {f"c{index}": each.unalias() for index, each in enumerate(tree.expressions)}
    if plan.labels is not None:
        outputs["n0"] = column("l", WRITE_ORDER)
    else:
        for index in range(len(plan.sources)):
            outputs[f"n{index}"] = call("coalesce", column(f"g{index}", WRITE_ORDER), whole(_LAST))
    tree = tree.select(*(named(each, name) for name, each in outputs.items()), append=False, copy=False)
    order = (exp.column(quoted(f"n{index}")) for index in range(numbers(plan)))
    return tree.order_by(*order, append=False, copy=False).sql("spark")


def numbers(plan: LogicalPlan) -> int:
    return 1 if plan.labels is not None else len(plan.sources)


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
