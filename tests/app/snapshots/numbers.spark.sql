SELECT
  l.`n` AS `n`,
  a0.`values`.`0` AS `price`
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
        CAST(s.`tick` AS BIGINT) AS `time`,
        s.`write order` AS `order`,
        0 AS `is label`,
        CAST(NULL AS BIGINT) AS `label`,
        STRUCT(CAST(s.`tick` AS BIGINT) AS `time`, s.`price` AS `0`) AS `values`
      FROM `football_featurestore__ticks_1` AS s
      WHERE
        NOT s.`team_id` IS NULL AND NOT s.`tick` IS NULL
      UNION ALL
      SELECT
        s.`team_id` AS `key 0`,
        CAST(s.`n` AS BIGINT) AS `time`,
        CAST(NULL AS BIGINT) AS `order`,
        1 AS `is label`,
        s.`write order` AS `label`,
        NULL AS `values`
      FROM `labels` AS s
      WHERE
        NOT s.`team_id` IS NULL AND NOT s.`n` IS NULL
    ) AS s
  ) AS w
  WHERE
    w.`is label` = 1 AND CAST(w.`time` AS DECIMAL(38, 0)) - w.`values`.`time` <= 100
) AS a0
  ON a0.`label` = l.`write order`
ORDER BY
  l.`write order`
