WITH "matches 0" AS (
  SELECT
    l."label",
    STRUCT_EXTRACT(MAX(ROW(f."time", f."order")), 2) AS "order"
  FROM (
    SELECT
      s."write order" AS "label",
      s."team_id" AS "key 0",
      (
        s."at" - CAST('1970-01-01' AS DATE)
      ) * 86400000000 AS "time",
      CAST(s."at" AS TIMESTAMPTZ) AS "moment"
    FROM "labels" AS s
    WHERE
      NOT s."team_id" IS NULL AND NOT s."at" IS NULL
  ) AS l
  INNER JOIN (
    SELECT
      s."team_id" AS "key 0",
      s."write order" AS "order",
      EPOCH_US(s."updated") AS "time",
      s."written at",
      s."removed at"
    FROM "football_featurestore__budgets_1" AS s
    WHERE
      NOT s."team_id" IS NULL AND NOT s."updated" IS NULL
  ) AS f
    ON l."key 0" = f."key 0"
    AND f."written at" <= l."moment"
    AND (
      f."removed at" IS NULL OR f."removed at" > l."moment"
    )
    AND l."time" >= f."time"
    AND CAST(l."time" AS INT128) - f."time" <= 86400000000
  GROUP BY
    l."label"
), "attached 0" AS (
  SELECT
    m."label",
    f."budget" AS "0"
  FROM "football_featurestore__budgets_1" AS f
  INNER JOIN "matches 0" AS m
    ON f."write order" = m."order"
), "matches 1" AS (
  SELECT
    l."label",
    STRUCT_EXTRACT(MAX(ROW(f."time", f."order")), 2) AS "order"
  FROM (
    SELECT
      s."write order" AS "label",
      s."team_id" AS "key 0",
      s."season" AS "key 1",
      (
        s."at" - CAST('1970-01-01' AS DATE)
      ) * 86400000000 AS "time",
      CAST(s."at" AS TIMESTAMPTZ) AS "moment"
    FROM "labels" AS s
    WHERE
      NOT s."team_id" IS NULL AND NOT s."season" IS NULL AND NOT s."at" IS NULL
  ) AS l
  INNER JOIN (
    SELECT
      s."team_id" AS "key 0",
      s."season" AS "key 1",
      s."write order" AS "order",
      (
        s."day" - CAST('1970-01-01' AS DATE)
      ) * 86400000000 AS "time",
      s."written at",
      s."removed at"
    FROM "football_featurestore__tables_1" AS s
    WHERE
      NOT s."team_id" IS NULL AND NOT s."season" IS NULL AND NOT s."day" IS NULL
  ) AS f
    ON l."key 0" = f."key 0"
    AND l."key 1" = f."key 1"
    AND f."written at" <= l."moment"
    AND (
      f."removed at" IS NULL OR f."removed at" > l."moment"
    )
    AND l."time" >= f."time"
  GROUP BY
    l."label"
), "attached 1" AS (
  SELECT
    m."label",
    f."points" AS "0"
  FROM "football_featurestore__tables_1" AS f
  INNER JOIN "matches 1" AS m
    ON f."write order" = m."order"
), "matches 2" AS (
  SELECT
    l."label",
    MAX(f."order") AS "order"
  FROM (
    SELECT
      s."write order" AS "label",
      s."team_id" AS "key 0",
      (
        s."at" - CAST('1970-01-01' AS DATE)
      ) * 86400000000 AS "time",
      CAST(s."at" AS TIMESTAMPTZ) AS "moment"
    FROM "labels" AS s
    WHERE
      NOT s."team_id" IS NULL AND NOT s."at" IS NULL
  ) AS l
  INNER JOIN (
    SELECT
      s."team_id" AS "key 0",
      s."write order" AS "order",
      s."written at",
      s."removed at"
    FROM "football_featurestore__cities_1" AS s
    WHERE
      NOT s."team_id" IS NULL
  ) AS f
    ON l."key 0" = f."key 0"
    AND f."written at" <= l."moment"
    AND (
      f."removed at" IS NULL OR f."removed at" > l."moment"
    )
  GROUP BY
    l."label"
), "attached 2" AS (
  SELECT
    m."label",
    f."city" AS "0"
  FROM "football_featurestore__cities_1" AS f
  INNER JOIN "matches 2" AS m
    ON f."write order" = m."order"
)
SELECT
  l."team_id" AS "team_id",
  l."season" AS "season",
  l."at" AS "at",
  a0."0" AS "budget",
  a1."0" AS "points",
  a2."0" AS "city"
FROM "labels" AS l
LEFT JOIN "attached 0" AS a0
  ON a0."label" = l."write order"
LEFT JOIN "attached 1" AS a1
  ON a1."label" = l."write order"
LEFT JOIN "attached 2" AS a2
  ON a2."label" = l."write order"
ORDER BY
  l."write order"
