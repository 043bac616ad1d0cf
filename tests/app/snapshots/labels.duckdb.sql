WITH "matches 0" AS (
  WITH nearest AS MATERIALIZED (
    SELECT
      l."label",
      l."key 0",
      f."time",
      f."order"
    FROM (
      SELECT
        s."write order" AS "label",
        s."home" AS "key 0",
        EPOCH_US(s."at") AS "time"
      FROM "labels" AS s
      WHERE
        NOT s."home" IS NULL AND NOT s."at" IS NULL
    ) AS l
    ASOF JOIN (
      SELECT
        s."team_id" AS "key 0",
        s."write order" AS "order",
        EPOCH_US(s."updated") AS "time"
      FROM "football_featurestore__budgets_1" AS s
      WHERE
        NOT s."team_id" IS NULL AND NOT s."updated" IS NULL
    ) AS f
      ON l."key 0" = f."key 0" AND l."time" >= f."time"
    WHERE
      CAST(l."time" AS INT128) - f."time" <= 604800000000
  )
  SELECT
    n."label",
    COALESCE(t."order", n."order") AS "order"
  FROM "nearest" AS n
  LEFT JOIN (
    SELECT
      n."label",
      MAX(f."order") AS "order"
    FROM (
      SELECT
        s."team_id" AS "key 0",
        s."write order" AS "order",
        EPOCH_US(s."updated") AS "time"
      FROM "football_featurestore__budgets_1" AS s
      WHERE
        NOT s."team_id" IS NULL AND NOT s."updated" IS NULL
    ) AS f
    INNER JOIN "nearest" AS n
      ON f."key 0" = n."key 0" AND f."time" = n."time" AND f."order" > n."order"
    GROUP BY
      n."label"
  ) AS t
    ON t."label" = n."label"
), "attached 0" AS (
  SELECT
    m."label",
    f."budget" AS "0"
  FROM "football_featurestore__budgets_1" AS f
  INNER JOIN "matches 0" AS m
    ON f."write order" = m."order"
), "matches 1" AS (
  WITH nearest AS MATERIALIZED (
    SELECT
      l."label",
      l."key 0",
      l."key 1",
      f."time",
      f."order"
    FROM (
      SELECT
        s."write order" AS "label",
        s."home" AS "key 0",
        s."season" AS "key 1",
        EPOCH_US(s."at") AS "time"
      FROM "labels" AS s
      WHERE
        NOT s."home" IS NULL AND NOT s."season" IS NULL AND NOT s."at" IS NULL
    ) AS l
    ASOF JOIN (
      SELECT
        s."team_id" AS "key 0",
        s."season" AS "key 1",
        s."write order" AS "order",
        (
          s."day" - CAST('1970-01-01' AS DATE)
        ) * 86400000000 AS "time"
      FROM "football_featurestore__tables_1" AS s
      WHERE
        NOT s."team_id" IS NULL AND NOT s."season" IS NULL AND NOT s."day" IS NULL
    ) AS f
      ON l."key 0" = f."key 0" AND l."key 1" = f."key 1" AND l."time" >= f."time"
    WHERE
      CAST(l."time" AS INT128) - f."time" <= 0
  )
  SELECT
    n."label",
    COALESCE(t."order", n."order") AS "order"
  FROM "nearest" AS n
  LEFT JOIN (
    SELECT
      n."label",
      MAX(f."order") AS "order"
    FROM (
      SELECT
        s."team_id" AS "key 0",
        s."season" AS "key 1",
        s."write order" AS "order",
        (
          s."day" - CAST('1970-01-01' AS DATE)
        ) * 86400000000 AS "time"
      FROM "football_featurestore__tables_1" AS s
      WHERE
        NOT s."team_id" IS NULL AND NOT s."season" IS NULL AND NOT s."day" IS NULL
    ) AS f
    INNER JOIN "nearest" AS n
      ON f."key 0" = n."key 0"
      AND f."key 1" = n."key 1"
      AND f."time" = n."time"
      AND f."order" > n."order"
    GROUP BY
      n."label"
  ) AS t
    ON t."label" = n."label"
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
    w."order"
  FROM (
    SELECT
      s."write order" AS "label",
      s."home" AS "key 0"
    FROM "labels" AS s
    WHERE
      NOT s."home" IS NULL
  ) AS l
  INNER JOIN (
    SELECT
      f."key 0",
      MAX(f."order") AS "order"
    FROM (
      SELECT
        s."team_id" AS "key 0",
        s."write order" AS "order"
      FROM "football_featurestore__cities_1" AS s
      WHERE
        NOT s."team_id" IS NULL
    ) AS f
    GROUP BY
      f."key 0"
  ) AS w
    ON l."key 0" = w."key 0"
), "attached 2" AS (
  SELECT
    m."label",
    f."city" AS "0",
    f."size" AS "1"
  FROM "football_featurestore__cities_1" AS f
  INNER JOIN "matches 2" AS m
    ON f."write order" = m."order"
)
SELECT
  l."home" AS "home",
  l."season" AS "season",
  l."at" AS "at",
  l."won" AS "won",
  a0."0" AS "home_budget",
  a1."0" AS "points",
  a2."0" AS "city",
  a2."1" AS "size"
FROM "labels" AS l
LEFT JOIN "attached 0" AS a0
  ON a0."label" = l."write order"
LEFT JOIN "attached 1" AS a1
  ON a1."label" = l."write order"
LEFT JOIN "attached 2" AS a2
  ON a2."label" = l."write order"
ORDER BY
  l."write order"
