"""What people have tried, or will, to get out of a query: grouped by what they are after.

Each attempt is SQL for one query over the tables `players` and `matches`. Words in braces stand for places: `{secret}` is
a text file that nobody may read (`{secret_csv}`, `{secret_json}` and `{secret_parquet}` say the same in other forms),
`{foreign}` a data file of another tenant's table, `{own}` one of `players`' own, `{folder}` a folder that anybody may
write to, `{url}` a server on this machine that knows the secret too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Attempt:
    """`answers` are the error codes that are right; `ok` stands for an answer, in which there must be no secret."""

    kind: str
    sql: str
    answers: frozenset[str]

    def __str__(self) -> str:
        return f"{self.kind}: {' '.join(self.sql.split())[:60]}"


REFUSED: Final = frozenset({"query-refused"})
INVALID: Final = frozenset({"query-invalid"})
REFUSED_OR_INVALID: Final = REFUSED | INVALID
HARMLESS: Final = frozenset({"ok", "query-invalid", "query-refused"})
LIMITED: Final = frozenset({"engine-limit"})

FILES = """
SELECT * FROM read_csv('{secret_csv}')
SELECT * FROM read_csv_auto('{secret_csv}')
SELECT * FROM read_text('{secret}')
SELECT content FROM read_text(['{secret}'])
SELECT * FROM read_blob('{secret}')
SELECT * FROM read_json('{secret_json}')
SELECT * FROM read_json_auto('{secret_json}')
SELECT * FROM read_json_objects('{secret_json}')
SELECT * FROM read_ndjson('{secret_json}')
SELECT * FROM read_ndjson_auto('{secret_json}')
SELECT * FROM read_ndjson_objects('{secret_json}')
SELECT * FROM read_parquet('{secret_parquet}')
SELECT * FROM parquet_scan('{secret_parquet}')
SELECT * FROM parquet_metadata('{secret_parquet}')
SELECT * FROM parquet_file_metadata('{own}')
SELECT * FROM parquet_full_metadata('{own}')
SELECT * FROM parquet_kv_metadata('{own}')
SELECT * FROM parquet_schema('{own}')
SELECT * FROM parquet_bloom_probe('{own}', 'name', 'ada')
SELECT * FROM read_parquet('{own}')
SELECT * FROM read_duckdb('{folder}/x.duckdb')
SELECT * FROM sniff_csv('{secret_csv}')
SELECT * FROM '{secret_csv}'
SELECT * FROM '{secret_parquet}'
SELECT * FROM "{secret_parquet}"
SELECT * FROM '{own}'
SELECT * FROM "{secret_json}"
SELECT * FROM 'file://{secret_csv}'
FROM '{secret_csv}'
TABLE "{secret_csv}"
SELECT * FROM players JOIN '{secret_csv}' ON true
SELECT (SELECT content FROM read_text('{secret}'))
SELECT * FROM players WHERE name IN (SELECT content FROM read_text('{secret}'))
SELECT * FROM players WHERE EXISTS (FROM read_text('{secret}'))
SELECT * FROM players ORDER BY (SELECT content FROM read_text('{secret}'))
SELECT * FROM players LIMIT (SELECT length(content) FROM read_text('{secret}'))
SELECT * FROM players LIMIT 1 OFFSET (SELECT length(content) FROM read_text('{secret}'))
SELECT sum(id) OVER (ROWS (SELECT length(content) FROM read_text('{secret}')) PRECEDING) FROM players
SELECT sum(score) FILTER (WHERE (SELECT content FROM read_text('{secret}')) > '') FROM players
SELECT string_agg(name ORDER BY (SELECT content FROM read_text('{secret}'))) FROM players
SELECT DISTINCT ON ((SELECT content FROM read_text('{secret}'))) * FROM players
SELECT name FROM players GROUP BY name, (SELECT content FROM read_text('{secret}'))
SELECT name FROM players GROUP BY name HAVING (SELECT content FROM read_text('{secret}')) > ''
SELECT name FROM players QUALIFY row_number() OVER (ORDER BY (SELECT content FROM read_text('{secret}'))) = 1
SELECT CASE WHEN true THEN (SELECT content FROM read_text('{secret}')) END
SELECT list_transform([1], x -> (SELECT content FROM read_text('{secret}')))
SELECT [(SELECT content FROM read_text('{secret}'))]
SELECT {{'a': (SELECT content FROM read_text('{secret}'))}}
SELECT * REPLACE ((SELECT content FROM read_text('{secret}')) AS name) FROM players
SELECT * FROM unnest((SELECT list(content) FROM read_text('{secret}')))
SELECT * FROM range((SELECT length(content) FROM read_text('{secret}')))
VALUES ((SELECT content FROM read_text('{secret}')))
SELECT 1 UNION ALL SELECT length(content) FROM read_text('{secret}')
SELECT 1 UNION ALL BY NAME SELECT content FROM read_text('{secret}')
WITH a AS (SELECT * FROM read_text('{secret}')) SELECT * FROM a
WITH a AS MATERIALIZED (SELECT * FROM read_text('{secret}')) SELECT * FROM a
WITH RECURSIVE a AS (SELECT 1 AS n UNION ALL SELECT length(content) FROM read_text('{secret}'), a WHERE n < 1) FROM a
SELECT * FROM (PIVOT players ON name IN (SELECT content FROM read_text('{secret}')) USING sum(score))
SELECT * FROM players PIVOT (sum(score) FOR name IN (SELECT content FROM read_text('{secret}')))
SELECT * FROM (UNPIVOT (SELECT content FROM read_text('{secret}')) ON content)
SELECT * FROM players AS p ASOF JOIN (SELECT content, 1 AS id FROM read_text('{secret}')) AS s ON p.id >= s.id
SELECT * FROM players SEMI JOIN (FROM read_text('{secret}')) ON true
"""

LISTING = """
SELECT * FROM glob('{folder}/*')
SELECT * FROM glob('/*')
SELECT count(*) FROM glob('/proc/self/fd/*')
SELECT file FROM glob('**')
SELECT filename FROM read_text('{folder}/*')
SELECT filename FROM read_blob('/etc/*')
SELECT * FROM read_parquet('{folder}/*.parquet', filename = true)
"""

NETWORK = """
SELECT * FROM read_csv('{url}/secret.csv')
SELECT * FROM read_text('{url}/secret.txt')
SELECT * FROM '{url}/secret.csv'
SELECT * FROM '{url}/secret.parquet'
SELECT * FROM read_parquet('s3://bucket/secret.parquet')
SELECT * FROM 's3://bucket/secret.parquet'
SELECT * FROM read_parquet('https://169.254.169.254/latest/meta-data/')
SELECT * FROM read_text('http://169.254.169.254/latest/meta-data/iam/security-credentials/')
SELECT * FROM read_parquet('hf://datasets/a/b.parquet')
SELECT * FROM read_parquet('gcs://bucket/x.parquet')
SELECT * FROM read_text('\\\\\\\\127.0.0.1\\share\\secret.txt')
COPY players TO '{url}/stolen.csv'
"""

WRITES = """
COPY players TO '{folder}/x.csv'
COPY (SELECT 1) TO '{folder}/x.parquet' (FORMAT parquet)
COPY (SELECT 1 AS id) TO '{own}' (FORMAT parquet)
COPY (SELECT 1 AS id) TO '{own}' (FORMAT parquet, USE_TMP_FILE false)
COPY (SELECT 1) TO '/dev/stdout'
COPY (SELECT 1) TO 'x.csv'
COPY players FROM '{secret_csv}'
EXPORT DATABASE '{folder}/export'
IMPORT DATABASE '{folder}'
CREATE TABLE stolen AS SELECT * FROM players
CREATE TEMP TABLE stolen AS SELECT 1
CREATE VIEW players AS SELECT 1
CREATE OR REPLACE VIEW players AS SELECT * FROM read_csv('{secret_csv}')
INSERT INTO players VALUES (9)
INSERT INTO players BY NAME SELECT 9 AS id RETURNING *
UPDATE players SET name = 'x'
DELETE FROM players
TRUNCATE players
MERGE INTO players USING matches ON true WHEN MATCHED THEN DELETE
DROP VIEW players
ALTER VIEW players RENAME TO p
CREATE INDEX i ON players (id)
CREATE SEQUENCE s
CREATE SCHEMA s
CREATE TYPE mood AS ENUM ('x')
COMMENT ON VIEW players IS 'x'
CHECKPOINT
VACUUM
ANALYZE
SELECT * FROM force_checkpoint()
SELECT 1 INTO OUTFILE '{folder}/x'
WITH gone AS (DELETE FROM players RETURNING *) SELECT * FROM gone
"""

ATTACHING = """
ATTACH '{folder}/x.db'
ATTACH '{folder}/x.db' AS stolen (TYPE sqlite)
ATTACH ':memory:' AS other
ATTACH '{url}/x.db' AS other (READ_ONLY)
DETACH memory
USE memory.main
INSTALL httpfs
INSTALL sqlite FROM community
FORCE INSTALL httpfs FROM '{url}'
LOAD httpfs
LOAD '{folder}/evil.duckdb_extension'
UPDATE EXTENSIONS
SELECT * FROM sqlite_scan('{folder}/x.db', 't')
SELECT * FROM postgres_scan('host=127.0.0.1', 'public', 't')
SELECT * FROM iceberg_scan('{folder}')
SELECT * FROM delta_scan('{folder}')
"""

SETTINGS = """
SET enable_external_access = true
SET GLOBAL enable_external_access = true
SET SESSION memory_limit = '100GB'
SET allowed_paths = ['{secret}']
SET allowed_directories = ['/']
SET lock_configuration = false
SET VARIABLE x = (SELECT content FROM read_text('{secret}'))
RESET lock_configuration
RESET allowed_paths
PRAGMA enable_external_access
PRAGMA memory_limit = '100GB'
PRAGMA database_list
PRAGMA show_tables
PRAGMA table_info('players')
PRAGMA version
PRAGMA enable_profiling
PRAGMA profiling_output = '{folder}/profile.json'
PRAGMA import_database('{folder}')
SELECT * FROM pragma_database_list
SELECT * FROM pragma_table_info('players')
SELECT * FROM pragma_storage_info('players')
SELECT * FROM pragma_database_size()
SELECT * FROM pragma_user_agent()
SELECT * FROM pragma_platform()
SELECT * FROM enable_profiling()
SELECT current_setting('allowed_paths')
SELECT current_setting('temp_directory')
SELECT current_setting('secret_directory')
SELECT getvariable('x')
SELECT setseed(0.5)
"""

CATALOGS = """
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_settings
SELECT sql FROM duckdb_views()
SELECT sql FROM duckdb_views
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_columns()
SELECT * FROM duckdb_databases()
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_functions()
SELECT * FROM duckdb_extensions()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM duckdb_external_file_cache()
SELECT * FROM duckdb_memory()
SELECT * FROM duckdb_logs()
SELECT * FROM duckdb_logs_parsed('HTTP')
SELECT * FROM duckdb_log_contexts()
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_prepared_statements()
SELECT * FROM duckdb_profiling_settings()
SELECT * FROM duckdb_table_sample('players')
SELECT * FROM information_schema.tables
SELECT * FROM information_schema.columns
SELECT * FROM information_schema.schemata
SELECT * FROM pg_catalog.pg_tables
SELECT * FROM pg_catalog.pg_views
SELECT * FROM pg_views
SELECT * FROM pg_class
SELECT definition FROM pg_views
SELECT * FROM sqlite_master
SELECT * FROM main.sqlite_master
SELECT * FROM sqlite_schema
SELECT pg_get_viewdef(0)
SELECT pg_catalog.pg_get_viewdef(1)
SELECT stats(name) FROM players
SELECT vector_type(name) FROM players
SELECT version()
SELECT current_database()
SELECT current_schemas(true)
SELECT current_query()
SELECT get_block_size('memory')
SELECT in_search_path('memory', 'main')
SELECT * FROM summary((SELECT 1))
SELECT * FROM seq_scan('players')
SELECT * FROM which_secret('s3://bucket/x', 's3')
SELECT * FROM test_all_types()
SHOW TABLES
SHOW ALL TABLES
SHOW DATABASES
DESCRIBE players
DESCRIBE SELECT * FROM players
SUMMARIZE players
SELECT * FROM (DESCRIBE players)
SELECT * FROM (SHOW ALL TABLES)
SELECT * FROM (SUMMARIZE players)
EXPLAIN SELECT * FROM players
EXPLAIN ANALYZE SELECT * FROM players
"""

ENVIRONMENT = """
SELECT getenv('HOME')
SELECT getenv('OAST_CANARY')
SELECT * FROM read_text('/proc/self/environ')
SELECT * FROM read_blob('/proc/self/environ')
SELECT * FROM read_text('/proc/1/environ')
SELECT * FROM read_text('/proc/self/cmdline')
SELECT * FROM read_text('/proc/self/maps')
SELECT * FROM read_blob('/proc/self/mem')
SELECT * FROM read_text('~/.aws/credentials')
SELECT * FROM read_text('/root/.ssh/id_rsa')
SELECT current_setting('home_directory')
"""

STACKED = """
SELECT 1; SELECT 2
SELECT 1; COPY players TO '{folder}/x.csv'
SELECT 1; DROP VIEW players; SELECT 2
SELECT 1;SET lock_configuration=false
COPY players TO '{folder}/x.csv'; SELECT 1
;SELECT 1;;COPY players TO '{folder}/x.csv';
BEGIN; SELECT 1; COMMIT
BEGIN TRANSACTION
SELECT 1 /* ; */ ; CALL enable_logging()
SELECT ';' ; ATTACH ':memory:' AS x
SELECT $$;$$; ATTACH ':memory:' AS x
SELECT 1 -- ;
  ; COPY players TO '{folder}/x.csv'
"""

SPELLING = """
SELECT * FROM/**/read_text/**/('{secret}')
SELECT * FROM read_text/* */('{secret}')
SELECT * FROM READ_TEXT('{secret}')
SELECT * FROM "read_text"('{secret}')
SELECT * FROM "READ_TEXT"('{secret}')
SELECT * FROM main.read_text('{secret}')
SELECT * FROM system.main.read_text('{secret}')
SELECT * FROM "system"."main"."read_text"('{secret}')
SELECT * FROM U&"read_text"('{secret}')
SELECT * FROM\N{NO-BREAK SPACE}read_text('{secret}')
SELECT\N{ZERO WIDTH SPACE} * FROM read_text('{secret}')
SELECT * FROM read\N{ZERO WIDTH JOINER}_text('{secret}')
SELECT * FROM r\N{CYRILLIC SMALL LETTER IE}ad_text('{secret}')
SELECT * FROM read_te\N{LATIN SMALL LETTER X WITH DOT ABOVE}t('{secret}')
SELECT * FROM \N{FULLWIDTH LATIN SMALL LETTER R}ead_text('{secret}')
\N{ZERO WIDTH NO-BREAK SPACE}SELECT * FROM read_text('{secret}')
SELECT 1 --\r; COPY players TO '{folder}/x.csv'
SELECT * FROM read_text(E'{secret}')
SELECT * FROM read_text($${secret}$$)
SELECT * FROM read_text('{secret}'::VARCHAR)
SELECT * FROM read_text(concat('{secret}', ''))
SELECT * FROM read_text(chr(47) || 'etc' || chr(47) || 'passwd')
SELECT * FROM players, read_text('{secret}')
SELECT * FROM read_text('{secret}') AS players
COPY(SELECT*FROM players)TO'{folder}/x.csv'
CoPy players tO '{folder}/x.csv'
(((SELECT * FROM read_text('{secret}'))))
FROM read_text('{secret}') SELECT content
FROM (FROM (FROM read_text('{secret}')))
SELECT * FROM (VALUES ('{secret}')) AS v(f), LATERAL (SELECT * FROM read_text(v.f))
SELECT * FROM (VALUES ('{secret}')) AS v(f), read_text(v.f)
"""

SHADOWING = """
WITH duckdb_settings AS (SELECT 1) SELECT * FROM duckdb_settings
WITH RECURSIVE duckdb_settings AS (SELECT * FROM duckdb_settings) SELECT * FROM duckdb_settings
WITH RECURSIVE duckdb_views AS (SELECT sql FROM duckdb_views UNION ALL SELECT sql FROM duckdb_views) FROM duckdb_views
WITH RECURSIVE a AS (SELECT sql FROM a UNION ALL SELECT sql FROM a) FROM a
WITH pg_views AS (SELECT * FROM pg_views) SELECT * FROM pg_views
WITH sqlite_master AS MATERIALIZED (SELECT * FROM sqlite_master) FROM sqlite_master
WITH "{secret_csv}" AS (SELECT 1) SELECT * FROM "{secret_csv}"
WITH "a.csv" AS (SELECT 1) SELECT * FROM (WITH b AS (SELECT 1) SELECT * FROM "{secret_csv}")
SELECT * FROM (WITH a AS (SELECT 1) SELECT * FROM a), a
SELECT (WITH duckdb_tables_ AS (SELECT 1) SELECT 1), * FROM duckdb_tables
WITH a AS (SELECT * FROM b), b AS (SELECT 1) SELECT * FROM a
WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b) SELECT * FROM b
WITH information_schema AS (SELECT 1) SELECT * FROM information_schema.tables
WITH r AS (SELECT 1) SELECT * FROM recurring.r
WITH players AS (SELECT * FROM main.players) SELECT * FROM players
"""

MACROS = """
CREATE MACRO steal() AS TABLE SELECT * FROM read_text('{secret}')
CREATE TEMP MACRO steal(f) AS (SELECT content FROM read_text(f))
CREATE FUNCTION steal(f) AS TABLE SELECT * FROM query(f)
CREATE OR REPLACE MACRO main.upper(x) AS (SELECT content FROM read_text('{secret}'))
SELECT * FROM histogram(players, name)
SELECT * FROM histogram_values(duckdb_settings, name)
SELECT * FROM histogram_values(players, name)
"""

PREPARED = """
PREPARE steal AS SELECT * FROM read_text('{secret}')
EXECUTE steal
DEALLOCATE steal
PREPARE steal AS SELECT $1
SELECT $1
SELECT ?
SELECT $name
SELECT * FROM read_text($1)
CALL read_text('{secret}')
CALL pragma_version()
"""

TENANTS = """
SELECT * FROM rivals
SELECT * FROM rivals_players
SELECT * FROM rivals.players
SELECT * FROM "rivals"."players"
SELECT * FROM "rivals.players"
SELECT * FROM memory.main.rivals
SELECT * FROM main.players
SELECT * FROM memory.players
SELECT * FROM temp.players
SELECT * FROM "of files".players
SELECT * FROM "of files"."matches"
SELECT * FROM of_file
SELECT * FROM data
SELECT * FROM '{foreign}'
SELECT * FROM "{foreign}"
SELECT * FROM read_parquet('{foreign}')
SELECT * FROM read_parquet(['{own}', '{foreign}'])
SELECT * FROM read_parquet('{own}/../{foreign_name}')
SELECT * FROM players NATURAL JOIN rivals
SELECT * FROM players WHERE id IN (TABLE rivals)
SELECT * FROM players AS rivals JOIN rivals AS x ON true
"""

DYNAMIC = """
SELECT * FROM query('SELECT * FROM duckdb_settings()')
SELECT * FROM query('COPY players TO ''{folder}/x.csv''')
SELECT * FROM query_table('duckdb_settings')
SELECT * FROM query_table(['players', 'duckdb_views'])
SELECT * FROM query_table('{secret_csv}')
SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM duckdb_views()'))
SELECT json_serialize_plan('SELECT * FROM read_text(''{secret}'')')
SELECT json_serialize_sql('SELECT 1')
SELECT json_deserialize_sql('{{}}')
SELECT * FROM sql_auto_complete('SELECT')
SELECT * FROM players WHERE id = (SELECT count(*) FROM query('FROM duckdb_secrets()'))
"""

COLUMNS = """
SELECT COLUMNS((SELECT content FROM read_text('{secret}'))) FROM players
SELECT COLUMNS(getenv('HOME')) FROM players
SELECT COLUMNS(c -> current_setting('allowed_paths') = c) FROM players
SELECT * EXCLUDE (id) FROM duckdb_settings()
SELECT sum(COLUMNS(*)) FROM duckdb_settings()
SELECT struct_pack(x := (SELECT content FROM read_text('{secret}')))
SELECT UNPACK(COLUMNS(*)) FROM duckdb_settings()
SELECT coalesce(*COLUMNS(*)) FROM duckdb_settings()
"""

LATERAL = """
SELECT * FROM players, LATERAL (SELECT * FROM read_text(players.name))
SELECT * FROM players, LATERAL (SELECT * FROM glob(players.name))
SELECT * FROM players AS p, LATERAL (SELECT * FROM query_table(p.name))
SELECT (SELECT (SELECT (SELECT content FROM read_text('{secret}'))))
SELECT * FROM players p LEFT JOIN LATERAL (SELECT * FROM duckdb_settings()) s ON true
"""

SECRETS = """
CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b', ENDPOINT '127.0.0.1:1')
CREATE OR REPLACE SECRET s (TYPE http, BEARER_TOKEN 'x')
CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')
CREATE TEMPORARY SECRET warehouse (TYPE s3, PROVIDER credential_chain)
DROP SECRET warehouse
SELECT * FROM duckdb_secrets(redact = false)
SELECT * FROM duckdb_secret_types()
FROM which_secret('s3://warehouse', 's3')
"""

LOGGING = """
CALL enable_logging()
CALL enable_logging('HTTP')
CALL enable_logging(storage = 'file', storage_path = '{folder}/log')
CALL enable_logging(storage_path = '{folder}/log', storage = 'file')
CALL enable_logging(storage = 'stdout')
CALL disable_logging()
CALL truncate_duckdb_logs()
SELECT * FROM enable_logging(storage = 'file', storage_path = '{folder}/log')
SELECT write_log('x')
SELECT parse_duckdb_log_message('HTTP', 'x')
"""

PATHS = """
SELECT filename FROM players
SELECT file_index FROM players
SELECT file_row_number FROM players
SELECT rowid FROM players
SELECT players.filename FROM players
SELECT "write order" FROM players
SELECT "written at", "removed at" FROM players
SELECT data.filename FROM players
SELECT of_file.file FROM players
SELECT * FROM players WHERE filename LIKE '%'
SELECT CAST(name AS INTEGER) FROM players
SELECT error(name) FROM players
SELECT nothing FROM players
SELECT players.nothing.there FROM players
SELECT nothing('x') FROM players
"""

TIME_TRAVEL = """
SELECT * FROM players AT (VERSION => 0)
SELECT * FROM players AT (TIMESTAMP => TIMESTAMP '2020-01-01')
SELECT * FROM matches JOIN players AT (VERSION => 1) USING (id)
"""

POSITIONAL = """
SELECT #1 FROM players
SELECT * FROM players POSITIONAL JOIN matches
SELECT * FROM players ORDER BY #1
SELECT * FROM players NATURAL JOIN (SELECT #1 FROM matches)
"""

PYTHON = """
SELECT * FROM secret
SELECT * FROM connection
SELECT * FROM job
SELECT * FROM python_map_function(1)
SELECT * FROM pandas_scan(140000000)
SELECT * FROM arrow_scan(140000000, 140000000, 140000000)
SELECT * FROM arrow_scan_dumb(140000000, 140000000, 140000000)
SELECT * FROM locals
SELECT * FROM _database
"""

BROKEN = """
SELEC 1
SELECT
SELECT * FROM
)
SELECT 1 UNION
SELECT 'unended
SELECT /* unended
SELECT 1) AS x, (SELECT 2
SELECT 1 ) ; --
"""

STATES = """
SELECT sum(score) EXPORT_STATE FROM players
SELECT finalize('x'::BLOB)
SELECT combine('a', 'b')
SELECT variant_bytes_to_variant({{'a': 1}})
SELECT st_geomfromwkb('\\x00'::BLOB)
SELECT create_sort_key(name, 'ASC') FROM players
SELECT __internal_decompress_string(1)
SELECT remap_struct({{'a': 1}}, {{'a': 1}}, {{'a': 'a'}}, NULL)
SELECT nextval('s')
SELECT currval('s')
SELECT txid_current()
SELECT sleep_ms(1000)
SELECT pg_sleep(1)
"""

# What may be asked, as long as the answer holds nothing that it must not.
ODD_BUT_HARMLESS = """
SELECT current_user, session_user, current_catalog, current_schema
SELECT 'SELECT * FROM read_text(''/etc/passwd'')' AS text
SELECT parse_path('{secret}')
SELECT '{secret}' AS path
SELECT alias(name), typeof(name) FROM players
SELECT players FROM players
SELECT id AS "read_text('x')" FROM players
WITH read_text AS (SELECT 1 AS x) SELECT * FROM read_text
SELECT 1 AS "; COPY players TO 'x'"
SELECT 1 -- ; COPY players TO '{folder}/x.csv'
SELECT 1 /* ; COPY players TO '{folder}/x.csv' */
SELECT 1 /* /* */ ; COPY players TO '{folder}/x.csv' -- */
SELECT 1 --\N{LINE SEPARATOR}; COPY players TO '{folder}/x.csv'
SELECT * FROM players USING SAMPLE 1
SELECT uuid() <> uuid()
SELECT now() > TIMESTAMPTZ '2020-01-01'
SELECT 1 WHERE 'x' SIMILAR TO '(x+)+y'
SELECT enum_range(NULL::ENUM('a', 'b'))
SELECT ('x' || chr(0)) IS NULL
"""

# Each has a second, an engine with little memory, and ends within half a second of its limit.
EXHAUSTION = """
SELECT repeat('x', 2000000000)
SELECT repeat('a', 100000000) FROM range(1000)
SELECT string_agg(repeat('x', 1000000), '') FROM range(100000)
SELECT list(repeat('x', 100000)) FROM range(10000000)
SELECT count(*) FROM range(1000000000) a, range(1000000000) b
SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(1000000) b
SELECT count(*) FROM players a, players b, players c, range(100000000000) d WHERE hash(d.range) % 3 = 5
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r, range(2)) SELECT count(*) FROM r
SELECT count(DISTINCT hash(range)) FROM range(100000000000)
SELECT * FROM range(100000000000) ORDER BY hash(range)
SELECT range FROM range(100000000000)
SELECT list_sort(range(1000000000))
SELECT len(generate_series(1, 4000000000))
SELECT rpad('x', 2000000000, 'y') FROM range(100)
SELECT format('{{:>2000000000}}', 'x')
SELECT printf('%2000000000d', 1)
SELECT array_agg(range) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM range(100000000)
SELECT regexp_replace(repeat('a', 200000000), 'a', repeat('b', 100), 'g')
SELECT list_reduce(range(1, 1000), (x, y) -> x + y) FROM range(100000000000)
SELECT count(*) FROM (SELECT unnest(range(100000000)) FROM range(100000))
SELECT product(range) FROM range(100000000000)
SELECT factorial(33), count(*) FROM range(100000000000) WHERE sin(range) = 2
"""

_GROUPS: Final[list[tuple[str, str, frozenset[str]]]] = [
    ("files", FILES, REFUSED_OR_INVALID),
    ("listing", LISTING, REFUSED),
    ("network", NETWORK, REFUSED),
    ("writes", WRITES, REFUSED_OR_INVALID),
    ("attaching", ATTACHING, REFUSED),
    ("settings", SETTINGS, REFUSED),
    ("catalogs", CATALOGS, REFUSED_OR_INVALID),
    ("environment", ENVIRONMENT, REFUSED),
    ("stacked statements", STACKED, REFUSED),
    ("spelling", SPELLING, REFUSED_OR_INVALID),
    ("shadowing", SHADOWING, REFUSED),
    ("macros", MACROS, REFUSED),
    ("prepared statements", PREPARED, REFUSED),
    ("other tenants", TENANTS, REFUSED),
    ("dynamic SQL", DYNAMIC, REFUSED),
    ("columns", COLUMNS, REFUSED_OR_INVALID),
    ("lateral", LATERAL, REFUSED),
    ("secrets", SECRETS, REFUSED),
    ("logging", LOGGING, REFUSED),
    ("paths of files", PATHS, REFUSED_OR_INVALID),
    ("time travel", TIME_TRAVEL, REFUSED),
    ("positional", POSITIONAL, REFUSED),
    ("python", PYTHON, REFUSED),
    ("broken", BROKEN, REFUSED_OR_INVALID),
    ("states", STATES, REFUSED_OR_INVALID),
    ("odd but harmless", ODD_BUT_HARMLESS, HARMLESS),
]


def attempts() -> list[Attempt]:
    return [Attempt(kind, sql, answers) for kind, text, answers in _GROUPS for sql in _statements(text)]


def exhausting() -> list[Attempt]:
    return [Attempt("exhaustion", sql, LIMITED) for sql in _statements(EXHAUSTION)]


def _statements(text: str) -> Iterator[str]:
    """A line each; a line that begins with blanks belongs to the one before."""
    lines: list[str] = []
    for line in text.strip("\n").split("\n"):
        if line.startswith(" ") and lines:
            lines[-1] += f"\n{line}"
        else:
            lines.append(line)
    yield from lines
