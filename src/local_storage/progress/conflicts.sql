-- Different values that no completion time tells apart, in the order in which they were seen; the last one is kept.
WITH
session AS MATERIALIZED (SELECT * FROM parklite_sessions),
given(program_id, week_number, day_number, field, value, completed_at, fold_order) AS (
  SELECT program_id, week_number, day_number, 'intensityRating', intensity_rating, coalesce(completed_at, ''), fold_order
  FROM session WHERE intensity_rating IS NOT NULL
  UNION ALL
  SELECT program_id, week_number, day_number, 'scheduledDate', scheduled_date, coalesce(completed_at, ''), fold_order
  FROM session WHERE scheduled_date IS NOT NULL
),
latest AS (
  SELECT *, max(completed_at) OVER (PARTITION BY program_id, week_number, day_number, field) AS latest FROM given
),
distinct_values AS (
  SELECT program_id, week_number, day_number, field, value, max(fold_order) AS fold_order
  FROM latest WHERE completed_at = latest
  GROUP BY program_id, week_number, day_number, field, value
),
ordered AS (
  SELECT *, max(fold_order) OVER (PARTITION BY program_id, week_number, day_number, field) AS last
  FROM distinct_values
  ORDER BY program_id, week_number, day_number, field, fold_order
)
SELECT program_id, week_number, day_number, field,
       json_group_array(value) AS candidates,
       max(iif(fold_order = last, value, NULL)) AS kept
FROM ordered
GROUP BY program_id, week_number, day_number, field
HAVING count(*) > 1
