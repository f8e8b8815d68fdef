-- Every session that was seen, with its place in the order of its program, week and day: the last one decides.
CREATE VIEW IF NOT EXISTS workout_sessions AS
WITH
seen(_event_id, seen) AS (
  -- The last capture that had it, then its position there: the digits at the end of the pointer.
  SELECT _event_id,
         max(coalesce(captured_at, '') || printf('/%010d',
             CAST(substr(pointer, length(rtrim(pointer, '0123456789')) + 1) AS INTEGER)))
  FROM event_sources
  GROUP BY _event_id
),
sessions AS (
  SELECT events._event_id,
         json_extract(payload, '$.program_id') AS program_id,
         json_extract(payload, '$.week_number') AS week_number,
         json_extract(payload, '$.day_number') AS day_number,
         json_extract(payload, '$.completed') AS completed,
         json_extract(payload, '$.completed_at') AS completed_at,
         json_extract(payload, '$.intensity_rating') AS intensity_rating,
         json_extract(payload, '$.scheduled_date') AS scheduled_date,
         coalesce(seen.seen, '') AS seen
  FROM events LEFT JOIN seen ON seen._event_id = events._event_id
  WHERE event_type = 'workout_session'
)
SELECT program_id, week_number, day_number, completed, completed_at, intensity_rating, scheduled_date,
       row_number() OVER (
         PARTITION BY program_id, week_number, day_number
         ORDER BY coalesce(completed_at, ''), seen, _event_id
       ) AS fold_order,
       _event_id
FROM sessions;

-- One row per program, week and day: the last value that is not null, field by field.
CREATE VIEW IF NOT EXISTS progress_logs AS
SELECT program_id, week_number, day_number,
       max(completed) AS completed,
       max(completed_at) AS completed_at,
       -- The value behind the highest place in the order; NULL where there is none.
       json_object(
         'intensityRating', substr(max(printf('%010d', fold_order) || intensity_rating), 11),
         'scheduledDate', substr(max(printf('%010d', fold_order) || scheduled_date), 11)
       ) AS feedback
FROM workout_sessions
GROUP BY program_id, week_number, day_number;

-- Different values that no completion time tells apart, in the order in which they were seen; the last one is kept.
CREATE VIEW IF NOT EXISTS progress_conflicts AS
WITH
given(program_id, week_number, day_number, field, value, completed_at, fold_order) AS (
  SELECT program_id, week_number, day_number, 'intensityRating', intensity_rating, coalesce(completed_at, ''), fold_order
  FROM workout_sessions WHERE intensity_rating IS NOT NULL
  UNION ALL
  SELECT program_id, week_number, day_number, 'scheduledDate', scheduled_date, coalesce(completed_at, ''), fold_order
  FROM workout_sessions WHERE scheduled_date IS NOT NULL
),
latest AS (
  SELECT *, max(completed_at) OVER (PARTITION BY program_id, week_number, day_number, field) AS latest FROM given
),
distinct_values AS (
  SELECT program_id, week_number, day_number, field, value, max(fold_order) AS fold_order
  FROM latest WHERE completed_at = latest
  GROUP BY program_id, week_number, day_number, field, value
),
listed AS (
  SELECT program_id, week_number, day_number, field,
         json_group_array(value) OVER entry AS candidates,
         last_value(value) OVER entry AS kept,
         count(*) OVER entry AS different
  FROM distinct_values
  WINDOW entry AS (
    PARTITION BY program_id, week_number, day_number, field ORDER BY fold_order
    ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
  )
)
SELECT DISTINCT program_id, week_number, day_number, field, candidates, kept FROM listed WHERE different > 1;
