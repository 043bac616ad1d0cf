"""Attaches groups to labels as of the labels' times, in Spark's SQL, which has no ASOF join: one window per group.

Labels and rows of the group are put in one sequence by time, rows before labels, and each label takes the last row so far.
The rules are those of `point_in_time`; so are the names `write order`, `written at` and `removed at`.
"""

from sqlglot import exp

from app.featurestore.query.plans import LABELS, Labels, LogicalPlan, Source
from app.featurestore.query.trees import (
    LABELS_TABLE,
    all_of,
    call,
    column,
    is_known,
    named,
    quoted,
    same,
    subquery,
    table,
    table_name,
    whole,
)
from infra.ports.engine import REMOVED_AT, WRITE_ORDER, WRITTEN_AT

_LABEL, _TIME, _ORDER, _VALUES, _IS_LABEL = "label", "time", "order", "values", "is label"
_MICROSECONDS_PER_DAY = 86_400_000_000


def attached(plan: LogicalPlan, labels: Labels) -> exp.Select:
    """One row for each label, in the order of the labels."""
    answer = exp.select(*(_output(plan, index) for index in range(len(plan.columns)))).from_(table(LABELS_TABLE, "l"))
    for index, source in enumerate(plan.sources):
        found = exp.EQ(this=column(f"a{index}", _LABEL), expression=column("l", WRITE_ORDER))
        values = subquery(_Attachment(plan, labels, source, index).select(), f"a{index}")
        answer = answer.join(values, on=found, join_type="left", copy=False)
    return answer.order_by(column("l", WRITE_ORDER), copy=False)


def microseconds(time: exp.Expr, hive_type: str) -> exp.Expr:
    if hive_type == "timestamp":
        return call("unix_micros", time)
    if hive_type == "date":
        return exp.Mul(this=call("unix_date", time), expression=whole(_MICROSECONDS_PER_DAY))
    return exp.cast(time, "bigint")


class _Attachment:
    def __init__(self, plan: LogicalPlan, labels: Labels, source: Source, index: int) -> None:
        self._labels = labels
        self._source = source
        self._wanted = plan.wanted(index)
        self._event_time = source.group.event_time

    def select(self) -> exp.Select:
        """(label, values): at most one for each label; `values` is a struct with a field for each wanted column."""
        if self._labels.as_known or self._event_time is None:
            return self._best()
        return self._last()

    def _last(self) -> exp.Select:
        keys = [column("s", name) for name in self._key_names]
        order = [column("s", name) for name in (_TIME, _IS_LABEL, _ORDER)]
        so_far = exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW")
        window = exp.Window(
            this=exp.IgnoreNulls(this=exp.LastValue(this=column("s", _VALUES))),
            partition_by=keys,
            order=exp.Order(expressions=[exp.Ordered(this=each, nulls_first=True) for each in order]),
            spec=so_far,
        )
        sequence = exp.union(self._rows(), self._label_rows(), distinct=False, copy=False)
        windowed = exp.select(
            column("s", _LABEL), column("s", _IS_LABEL), column("s", _TIME), named(window, _VALUES)
        ).from_(sequence.subquery(exp.to_identifier("s"), copy=False))
        found = exp.select(column("w", _LABEL), column("w", _VALUES)).from_(subquery(windowed, "w"))
        conditions: list[exp.Expr] = [exp.EQ(this=column("w", _IS_LABEL), expression=whole(1))]
        if self._source.lookback is not None:
            conditions.append(
                self._is_recent(column("w", _TIME), exp.Dot(this=column("w", _VALUES), expression=quoted(_TIME)))
            )
        return found.where(all_of(conditions), copy=False)

    def _best(self) -> exp.Select:
        """Of the rows that a label may see the latest, by time and then by write order."""
        conditions = same(
            [column("l", name) for name in self._key_names], [column("f", name) for name in self._key_names]
        )
        rank = [column("f", _ORDER)]
        if self._event_time is not None:
            rank.insert(0, column("f", _TIME))
            conditions.append(exp.GTE(this=column("l", _TIME), expression=column("f", _TIME)))
        if self._source.lookback is not None:
            conditions.append(self._is_recent(column("l", _TIME), column("f", _TIME)))
        if self._labels.as_known:
            conditions.extend(self._was_visible())
        best = exp.ArgMax(this=column("f", _VALUES), expression=call("struct", *rank))
        rows, labels = subquery(self._rows(), "f"), subquery(self._label_rows(), "l")
        return (
            exp.select(column("l", _LABEL), named(best, _VALUES))
            .from_(labels)
            .join(rows, on=all_of(conditions), join_type="inner")
            .group_by(column("l", _LABEL))
        )

    def _was_visible(self) -> list[exp.Expr]:
        written = exp.LTE(this=column("f", WRITTEN_AT), expression=column("l", _TIME))
        removed = exp.GT(this=column("f", REMOVED_AT), expression=column("l", _TIME))
        still_there = exp.Is(this=column("f", REMOVED_AT), expression=exp.null())
        return [written, exp.or_(still_there, removed)]

    def _rows(self) -> exp.Select:
        keys = [column("s", pair.right) for pair in self._source.on]
        required, time = list(keys), _nothing()
        if self._event_time is not None:
            required.append(column("s", self._event_time))
            time = microseconds(column("s", self._event_time), self._source.group.features[self._event_time])
        values = call(
            "struct",
            named(time.copy(), _TIME),
            *(named(column("s", name), str(position)) for position, name in enumerate(self._wanted)),
        )
        outputs = [*self._numbered(keys), named(time, _TIME), named(column("s", WRITE_ORDER), _ORDER)]
        outputs += [named(whole(0), _IS_LABEL), named(exp.cast(exp.null(), "bigint"), _LABEL), named(values, _VALUES)]
        if self._labels.as_known:
            outputs += [named(_micros(column("s", name)), name) for name in (WRITTEN_AT, REMOVED_AT)]
        known = all_of(is_known(each.copy()) for each in required)
        return exp.select(*outputs).from_(table(table_name(self._source), "s")).where(known)

    def _label_rows(self) -> exp.Select:
        keys = [column("s", pair.left) for pair in self._source.on]
        required, time = list(keys), _nothing()
        if self._labels.event_time is not None and (self._labels.as_known or self._event_time is not None):
            required.append(column("s", self._labels.event_time))
            time = microseconds(column("s", self._labels.event_time), self._labels.columns[self._labels.event_time])
        outputs = [*self._numbered(keys), named(time, _TIME), named(exp.cast(exp.null(), "bigint"), _ORDER)]
        outputs += [named(whole(1), _IS_LABEL), named(column("s", WRITE_ORDER), _LABEL), named(exp.null(), _VALUES)]
        known = all_of(is_known(each.copy()) for each in required)
        return exp.select(*outputs).from_(table(LABELS_TABLE, "s")).where(known)

    def _numbered(self, keys: list[exp.Column]) -> list[exp.Expr]:
        return [named(key.copy(), name) for key, name in zip(keys, self._key_names, strict=True)]

    @property
    def _key_names(self) -> list[str]:
        return [f"key {position}" for position in range(len(self._source.on))]

    def _is_recent(self, label: exp.Expr, row: exp.Expr) -> exp.Expr:
        # In 38 digits: the difference of two BIGINT times need not be a BIGINT.
        age = exp.Sub(this=exp.cast(label, "decimal(38,0)"), expression=row)
        return exp.LTE(this=age, expression=whole(self._source.lookback or 0))


def _nothing() -> exp.Expr:
    return exp.null()


def _micros(moment: exp.Expr) -> exp.Expr:
    return microseconds(moment, "timestamp")


def _output(plan: LogicalPlan, index: int) -> exp.Expr:
    each = plan.columns[index]
    if each.source == LABELS:
        return named(column("l", each.feature), each.name)
    position = plan.wanted(each.source).index(each.feature)
    values = column(f"a{each.source}", _VALUES)
    return named(exp.Dot(this=values, expression=quoted(str(position))), each.name)
