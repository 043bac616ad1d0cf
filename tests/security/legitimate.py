"""What people rightly ask of `players` and `matches`, with the answer: a gate that lets nothing through is no gate."""

import datetime as dt
from typing import Any, Final

AT: Final = dt.datetime  # of columns without a zone

LEGITIMATE: Final[list[tuple[str, list[tuple[Any, ...]]]]] = [
    ("SELECT 1 AS one", [(1,)]),
    ("SELECT 1;", [(1,)]),
    ("SELECT 1 -- a remark", [(1,)]),
    ("/* first */ SELECT /* second */ 1 ;  ", [(1,)]),
    ("FROM players SELECT count(*)", [(3,)]),
    ("TABLE matches", [(1, dt.date(2024, 5, 1), 2), (2, dt.date(2024, 5, 8), 0), (1, dt.date(2024, 5, 15), 1)]),
    ("VALUES (1, 'a'), (2, 'b')", [(1, "a"), (2, "b")]),
    ('SELECT "name" FROM PLAYERS ORDER BY "NAME" LIMIT 1 OFFSET 1', [("bo",)]),
    ("SELECT p.name FROM players AS p WHERE p.id IN (SELECT id FROM matches WHERE goals > 0)", [("ada",)]),
    (
        "SELECT name FROM players WHERE EXISTS (FROM matches WHERE matches.id = players.id) ORDER BY 1",
        [("ada",), ("bo",)],
    ),
    ("WITH best AS (SELECT max(score) AS s FROM players) SELECT name FROM players JOIN best ON score = s", [("cy",)]),
    ("WITH a AS MATERIALIZED (FROM players), b AS (SELECT id FROM a) SELECT count(*) FROM b", [(3,)]),
    ("WITH players AS (SELECT id FROM players WHERE id = 1) SELECT * FROM players", [(1,)]),
    ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4) SELECT sum(i) FROM n", [(10,)]),
    ("WITH RECURSIVE n(i, j) USING KEY (i) AS (SELECT 1, 1 UNION SELECT i, j + 1 FROM n WHERE j < 3) FROM n", [(1, 3)]),
    ("SELECT name, rank() OVER (ORDER BY score DESC) FROM players ORDER BY 2", [("cy", 1), ("ada", 2), ("bo", 3)]),
    (
        "SELECT id, goals FROM matches QUALIFY row_number() OVER (PARTITION BY id ORDER BY day DESC) = 1 ORDER BY id",
        [(1, 1), (2, 0)],
    ),
    (
        "SELECT sum(goals) OVER w FROM matches WINDOW w AS (ORDER BY day ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
        [(2,), (2,), (1,)],
    ),
    ("SELECT lag(goals, 1, -1) OVER (ORDER BY day) FROM matches", [(-1,), (2,), (0,)]),
    (
        "SELECT name, m FROM players, LATERAL (SELECT max(goals) AS m FROM matches WHERE matches.id = players.id) ORDER BY 1",
        [("ada", 2), ("bo", 0), ("cy", None)],
    ),
    (
        "SELECT m.goals FROM (VALUES (1, DATE '2024-05-10')) AS d(id, day) ASOF LEFT JOIN matches AS m USING (id, day)",
        [(2,)],
    ),
    (
        "SELECT name, tag FROM players, unnest(tags) AS t(tag) ORDER BY ALL",
        [("ada", "captain"), ("ada", "left"), ("cy", "left")],
    ),
    ("SELECT unnest([1, 2]) AS n", [(1,), (2,)]),
    ("SELECT * FROM range(2, 5) AS r(i)", [(2,), (3,), (4,)]),
    ("SELECT range FROM generate_series(1, 2) AS s(range)", [(1,), (2,)]),
    ("SELECT list_transform([1, 2], lambda x: x * 2), [y + 1 FOR y IN [1, 2] IF y > 1]", [([2, 4], [3])]),
    (
        "SELECT list_reduce([1, 2, 3], (a, b) -> a + b), list_contains(tags, 'left') FROM players WHERE id = 1",
        [(6, True)],
    ),
    ("SELECT tags[1], tags[-1], tags[1:1], len(tags) FROM players WHERE id = 1", [("captain", "left", ["captain"], 2)]),
    ("SELECT {'a': 1, 'b': 'x'}.b, struct_pack(a := 2), struct_extract({'a': 3}, 'a')", [("x", {"a": 2}, 3)]),
    ("SELECT MAP {'a': 1}['a'], map_keys(MAP {'b': 2})", [(1, ["b"])]),
    ("""SELECT '{"a": {"b": [1, 2]}}'::JSON ->> '$.a.b[1]', json_extract_string('{"x": "y"}', 'x')""", [("2", "y")]),
    (
        "SELECT regexp_extract('team-42', '([0-9]+)', 1), 'abc' SIMILAR TO 'a.c', 'abc' ~ 'b', 'abc' LIKE 'a%'",
        [("42", True, False, True)],
    ),
    ("SELECT upper(name) || '!' FROM players WHERE name ILIKE 'A%'", [("ADA!",)]),
    ("SELECT printf('%05.1f', 3.14), format('{}-{}', 'a', 1), repeat('ab', 2)", [("003.1", "a-1", "abab")]),
    (
        "SELECT date_trunc('month', born), year(born), born + INTERVAL 1 DAY FROM players WHERE id = 1",
        [(AT(1990, 2, 1), 1990, AT(1990, 2, 4))],
    ),
    (
        "SELECT extract(epoch FROM TIMESTAMPTZ '2024-01-01 00:00:00+00'), strftime(DATE '2024-03-01', '%d.%m.%Y')",
        [(1704067200.0, "01.03.2024")],
    ),
    ("SELECT TIMESTAMPTZ '2024-07-01 12:00:00+00' AT TIME ZONE 'Europe/Berlin'", [(AT(2024, 7, 1, 14),)]),
    (
        "SELECT date_diff('day', min(day), max(day)), strptime('2024-01-02', '%Y-%m-%d') FROM matches",
        [(14, AT(2024, 1, 2))],
    ),
    (
        "SELECT sum(goals) FILTER (goals > 1), string_agg(goals, ',' ORDER BY day) FROM matches GROUP BY id HAVING count(*) > 1",
        [(2, "2,1")],
    ),
    ("SELECT id, count(*) FROM matches GROUP BY ROLLUP (id) ORDER BY id NULLS LAST", [(1, 2), (2, 1), (None, 3)]),
    (
        "SELECT arg_max(name, score), median(score), quantile_cont(score, 0.5), approx_count_distinct(id) FROM players",
        [("cy", 1.5, 1.5, 3)],
    ),
    (
        "SELECT CASE WHEN score > 1 THEN 'high' END, coalesce(NULL, 1), nullif(1, 1), ifnull(NULL, 2) FROM players WHERE id = 1",
        [("high", 1, None, 2)],
    ),
    (
        "SELECT try_cast('x' AS INTEGER), CAST('1.50' AS DECIMAL(5, 1))::DOUBLE, '7'::BIGINT, TRY(1 // 0)",
        [(None, 1.5, 7, None)],
    ),
    ("SELECT * EXCLUDE (tags, born) REPLACE (round(score) AS score) FROM players WHERE id = 2", [(2, "bo", 1.0)]),
    ("SELECT min(COLUMNS('sc.*')) FROM players", [(0.5,)]),
    ("SELECT DISTINCT ON (id) id, goals FROM matches ORDER BY id, day", [(1, 2), (2, 0)]),
    ("SELECT name FROM players ANTI JOIN matches USING (id)", [("cy",)]),
    ("SELECT id FROM players EXCEPT SELECT id FROM matches", [(3,)]),
    ("SELECT 1 AS a UNION ALL BY NAME SELECT 2 AS b", [(1, None), (None, 2)]),
    (
        "PIVOT matches ON id IN (1, 2) USING sum(goals) GROUP BY day ORDER BY day LIMIT 1",
        [(dt.date(2024, 5, 1), 2, None)],
    ),
    ("SELECT * FROM (UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b INTO NAME k VALUE v)", [("a", 1), ("b", 2)]),
    ("SELECT name FROM players ORDER BY name COLLATE NOCASE DESC LIMIT 1", [("cy",)]),
    ("SELECT count(*) FROM players TABLESAMPLE 100 PERCENT", [(3,)]),
    (
        "SELECT md5('x'), hash(1) = hash(1), greatest(1, 3), 7 % 4, 2 ** 3, 7 // 2",
        [("9dd4e461268c8034f5c8564e155c67a6", True, 3, 3, 8.0, 3)],
    ),
    ("SELECT sum(goals) AS total, total + 1 AS more FROM matches", [(3, 4)]),
    ("SELECT 'it''s', E'a\\tb', $$quoted$$, 1_000", [("it's", "a\tb", "quoted", 1000)]),
    ('SELECT 1 AS "a b", 2 AS "select"', [(1, 2)]),
    ("SELECT a.id, b.id FROM players AS a, players AS b WHERE a.id < b.id ORDER BY ALL LIMIT 1", [(1, 2)]),
]
