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
        s."team_id" AS "key 0",
        CAST(s."n" AS BIGINT) AS "time"
      FROM "labels" AS s
      WHERE
        NOT s."team_id" IS NULL AND NOT s."n" IS NULL
    ) AS l
    ASOF JOIN (
      SELECT
        s."team_id" AS "key 0",
        s."write order" AS "order",
        CAST(s."tick" AS BIGINT) AS "time"
      FROM "football_featurestore__ticks_1" AS s
      WHERE
        NOT s."team_id" IS NULL AND NOT s."tick" IS NULL
    ) AS f
      ON l."key 0" = f."key 0" AND l."time" >= f."time"
    WHERE
      CAST(l."time" AS INT128) - f."time" <= 100
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
        CAST(s."tick" AS BIGINT) AS "time"
      FROM "football_featurestore__ticks_1" AS s
      WHERE
        NOT s."team_id" IS NULL AND NOT s."tick" IS NULL
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
    f."price" AS "0"
  FROM "football_featurestore__ticks_1" AS f
  INNER JOIN "matches 0" AS m
    ON f."write order" = m."order"
)
SELECT
  l."n" AS "n",
  a0."0" AS "price"
FROM "labels" AS l
LEFT JOIN "attached 0" AS a0
  ON a0."label" = l."write order"
ORDER BY
  l."write order"
