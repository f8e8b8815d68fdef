-- One row per program, week and day: the last value that is not null, field by field.
SELECT program_id, week_number, day_number,
       max(completed) AS completed,
       max(completed_at) AS completed_at,
       json_object(
         'intensityRating', max(iif(fold_order = last_rated, intensity_rating, NULL)),
         'scheduledDate', max(iif(fold_order = last_scheduled, scheduled_date, NULL))
       ) AS feedback
FROM (
  SELECT *,
         max(iif(intensity_rating IS NULL, 0, fold_order)) OVER entry AS last_rated,
         max(iif(scheduled_date IS NULL, 0, fold_order)) OVER entry AS last_scheduled
  FROM parklite_sessions
  WINDOW entry AS (PARTITION BY program_id, week_number, day_number)
)
GROUP BY program_id, week_number, day_number
