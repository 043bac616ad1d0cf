SELECT
  l.`home` AS `home`,
  l.`season` AS `season`,
  l.`at` AS `at`,
  l.`won` AS `won`,
  a0.`values`.`0` AS `home_budget`,
  a1.`values`.`0` AS `points`,
  a2.`values`.`0` AS `city`,
  a2.`values`.`1` AS `size`
FROM `labels` AS l
LEFT JOIN (
  SELECT
    w.`label`,
    w.`values`
  FROM (
    SELECT
      s.`label`,
      s.`is label`,
      s.`time`,
      LAST_VALUE(s.`values`) IGNORE NULLS OVER (
        PARTITION BY s.`key 0`
        ORDER BY s.`time`, s.`is label`, s.`order`
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS `values`
    FROM (
      SELECT
        s.`team_id` AS `key 0`,
        UNIX_MICROS(s.`updated`) AS `time`,
        s.`write order` AS `order`,
        0 AS `is label`,
        CAST(NULL AS BIGINT) AS `label`,
        STRUCT(UNIX_MICROS(s.`updated`) AS `time`, s.`budget` AS `0`) AS `values`
      FROM `football_featurestore__budgets_1` AS s
      WHERE
        NOT s.`team_id` IS NULL AND NOT s.`updated` IS NULL
      UNION ALL
      SELECT
        s.`home` AS `key 0`,
        UNIX_MICROS(s.`at`) AS `time`,
        CAST(NULL AS BIGINT) AS `order`,
        1 AS `is label`,
        s.`write order` AS `label`,
        NULL AS `values`
      FROM `labels` AS s
      WHERE
        NOT s.`home` IS NULL AND NOT s.`at` IS NULL
    ) AS s
  ) AS w
  WHERE
    w.`is label` = 1
    AND CAST(w.`time` AS DECIMAL(38, 0)) - w.`values`.`time` <= 604800000000
) AS a0
  ON a0.`label` = l.`write order`
LEFT JOIN (
  SELECT
    w.`label`,
    w.`values`
  FROM (
    SELECT
      s.`label`,
      s.`is label`,
      s.`time`,
      LAST_VALUE(s.`values`) IGNORE NULLS OVER (
        PARTITION BY s.`key 0`, s.`key 1`
        ORDER BY s.`time`, s.`is label`, s.`order`
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
      ) AS `values`
    FROM (
      SELECT
        s.`team_id` AS `key 0`,
        s.`season` AS `key 1`,
        UNIX_DATE(s.`day`) * 86400000000 AS `time`,
        s.`write order` AS `order`,
        0 AS `is label`,
        CAST(NULL AS BIGINT) AS `label`,
        STRUCT(UNIX_DATE(s.`day`) * 86400000000 AS `time`, s.`points` AS `0`) AS `values`
      FROM `football_featurestore__tables_1` AS s
      WHERE
        NOT s.`team_id` IS NULL AND NOT s.`season` IS NULL AND NOT s.`day` IS NULL
      UNION ALL
      SELECT
        s.`home` AS `key 0`,
        s.`season` AS `key 1`,
        UNIX_MICROS(s.`at`) AS `time`,
        CAST(NULL AS BIGINT) AS `order`,
        1 AS `is label`,
        s.`write order` AS `label`,
        NULL AS `values`
      FROM `labels` AS s
      WHERE
        NOT s.`home` IS NULL AND NOT s.`season` IS NULL AND NOT s.`at` IS NULL
    ) AS s
  ) AS w
  WHERE
    w.`is label` = 1 AND CAST(w.`time` AS DECIMAL(38, 0)) - w.`values`.`time` <= 0
) AS a1
  ON a1.`label` = l.`write order`
LEFT JOIN (
  SELECT
    l.`label`,
    MAX_BY(f.`values`, STRUCT(f.`order`)) AS `values`
  FROM (
    SELECT
      s.`home` AS `key 0`,
      NULL AS `time`,
      CAST(NULL AS BIGINT) AS `order`,
      1 AS `is label`,
      s.`write order` AS `label`,
      NULL AS `values`
    FROM `labels` AS s
    WHERE
      NOT s.`home` IS NULL
  ) AS l
  INNER JOIN (
    SELECT
      s.`team_id` AS `key 0`,
      NULL AS `time`,
      s.`write order` AS `order`,
      0 AS `is label`,
      CAST(NULL AS BIGINT) AS `label`,
      STRUCT(NULL AS `time`, s.`city` AS `0`, s.`size` AS `1`) AS `values`
    FROM `football_featurestore__cities_1` AS s
    WHERE
      NOT s.`team_id` IS NULL
  ) AS f
    ON l.`key 0` = f.`key 0`
  GROUP BY
    l.`label`
) AS a2
  ON a2.`label` = l.`write order`
ORDER BY
  l.`write order`
