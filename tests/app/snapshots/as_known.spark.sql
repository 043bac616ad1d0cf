SELECT
  l.`team_id` AS `team_id`,
  l.`season` AS `season`,
  l.`at` AS `at`,
  a0.`values`.`0` AS `budget`,
  a1.`values`.`0` AS `points`,
  a2.`values`.`0` AS `city`
FROM `labels` AS l
LEFT JOIN (
  SELECT
    l.`label`,
    MAX_BY(f.`values`, STRUCT(f.`time`, f.`order`)) AS `values`
  FROM (
    SELECT
      s.`team_id` AS `key 0`,
      UNIX_DATE(s.`at`) * 86400000000 AS `time`,
      CAST(NULL AS BIGINT) AS `order`,
      1 AS `is label`,
      s.`write order` AS `label`,
      NULL AS `values`
    FROM `labels` AS s
    WHERE
      NOT s.`team_id` IS NULL AND NOT s.`at` IS NULL
  ) AS l
  INNER JOIN (
    SELECT
      s.`team_id` AS `key 0`,
      UNIX_MICROS(s.`updated`) AS `time`,
      s.`write order` AS `order`,
      0 AS `is label`,
      CAST(NULL AS BIGINT) AS `label`,
      STRUCT(UNIX_MICROS(s.`updated`) AS `time`, s.`budget` AS `0`) AS `values`,
      UNIX_MICROS(s.`written at`) AS `written at`,
      UNIX_MICROS(s.`removed at`) AS `removed at`
    FROM `football_featurestore__budgets_1` AS s
    WHERE
      NOT s.`team_id` IS NULL AND NOT s.`updated` IS NULL
  ) AS f
    ON l.`key 0` = f.`key 0`
    AND l.`time` >= f.`time`
    AND CAST(l.`time` AS DECIMAL(38, 0)) - f.`time` <= 86400000000
    AND f.`written at` <= l.`time`
    AND (
      f.`removed at` IS NULL OR f.`removed at` > l.`time`
    )
  GROUP BY
    l.`label`
) AS a0
  ON a0.`label` = l.`write order`
LEFT JOIN (
  SELECT
    l.`label`,
    MAX_BY(f.`values`, STRUCT(f.`time`, f.`order`)) AS `values`
  FROM (
    SELECT
      s.`team_id` AS `key 0`,
      s.`season` AS `key 1`,
      UNIX_DATE(s.`at`) * 86400000000 AS `time`,
      CAST(NULL AS BIGINT) AS `order`,
      1 AS `is label`,
      s.`write order` AS `label`,
      NULL AS `values`
    FROM `labels` AS s
    WHERE
      NOT s.`team_id` IS NULL AND NOT s.`season` IS NULL AND NOT s.`at` IS NULL
  ) AS l
  INNER JOIN (
    SELECT
      s.`team_id` AS `key 0`,
      s.`season` AS `key 1`,
      UNIX_DATE(s.`day`) * 86400000000 AS `time`,
      s.`write order` AS `order`,
      0 AS `is label`,
      CAST(NULL AS BIGINT) AS `label`,
      STRUCT(UNIX_DATE(s.`day`) * 86400000000 AS `time`, s.`points` AS `0`) AS `values`,
      UNIX_MICROS(s.`written at`) AS `written at`,
      UNIX_MICROS(s.`removed at`) AS `removed at`
    FROM `football_featurestore__tables_1` AS s
    WHERE
      NOT s.`team_id` IS NULL AND NOT s.`season` IS NULL AND NOT s.`day` IS NULL
  ) AS f
    ON l.`key 0` = f.`key 0`
    AND l.`key 1` = f.`key 1`
    AND l.`time` >= f.`time`
    AND f.`written at` <= l.`time`
    AND (
      f.`removed at` IS NULL OR f.`removed at` > l.`time`
    )
  GROUP BY
    l.`label`
) AS a1
  ON a1.`label` = l.`write order`
LEFT JOIN (
  SELECT
    l.`label`,
    MAX_BY(f.`values`, STRUCT(f.`order`)) AS `values`
  FROM (
    SELECT
      s.`team_id` AS `key 0`,
      UNIX_DATE(s.`at`) * 86400000000 AS `time`,
      CAST(NULL AS BIGINT) AS `order`,
      1 AS `is label`,
      s.`write order` AS `label`,
      NULL AS `values`
    FROM `labels` AS s
    WHERE
      NOT s.`team_id` IS NULL AND NOT s.`at` IS NULL
  ) AS l
  INNER JOIN (
    SELECT
      s.`team_id` AS `key 0`,
      NULL AS `time`,
      s.`write order` AS `order`,
      0 AS `is label`,
      CAST(NULL AS BIGINT) AS `label`,
      STRUCT(NULL AS `time`, s.`city` AS `0`) AS `values`,
      UNIX_MICROS(s.`written at`) AS `written at`,
      UNIX_MICROS(s.`removed at`) AS `removed at`
    FROM `football_featurestore__cities_1` AS s
    WHERE
      NOT s.`team_id` IS NULL
  ) AS f
    ON l.`key 0` = f.`key 0`
    AND f.`written at` <= l.`time`
    AND (
      f.`removed at` IS NULL OR f.`removed at` > l.`time`
    )
  GROUP BY
    l.`label`
) AS a2
  ON a2.`label` = l.`write order`
ORDER BY
  l.`write order`
