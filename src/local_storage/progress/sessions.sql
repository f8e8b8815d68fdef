-- Every session that was seen, with its place in the order of its program, week and day: the last one decides.
WITH
-- Nobody else's events are looked into further than to see that they are not of this kind.
fitting AS (
  SELECT _event_id, payload
  FROM events
  WHERE event_type = 'workout_session'
    AND CASE WHEN typeof(payload) = 'text' AND json_valid(payload) THEN
          json_type(payload, '$.program_id') = 'text'
          AND json_type(payload, '$.week_number') = 'integer'
          AND typeof(json_extract(payload, '$.week_number')) = 'integer'
          AND json_type(payload, '$.day_number') = 'integer'
          AND typeof(json_extract(payload, '$.day_number')) = 'integer'
        END
),
sessions AS (
  SELECT _event_id,
         json_extract(payload, '$.program_id') AS program_id,
         json_extract(payload, '$.week_number') AS week_number,
         json_extract(payload, '$.day_number') AS day_number,
         json_type(payload, '$.completed') IS 'true' AS completed,
         iif(json_type(payload, '$.completed_at') = 'text', json_extract(payload, '$.completed_at'), NULL) AS completed_at,
         iif(json_type(payload, '$.intensity_rating') = 'text', json_extract(payload, '$.intensity_rating'), NULL)
           AS intensity_rating,
         iif(json_type(payload, '$.scheduled_date') = 'text', json_extract(payload, '$.scheduled_date'), NULL)
           AS scheduled_date,
         -- The last capture that had it, then its line there, then its place in the value.
         coalesce((
           SELECT max(printf('%s/%019d/%019d', captured_at, coalesce(line, 0), position))
           FROM event_sources
           WHERE event_sources._event_id = fitting._event_id
         ), '') AS seen
  FROM fitting
)
SELECT program_id, week_number, day_number, completed, completed_at, intensity_rating, scheduled_date,
       row_number() OVER (
         PARTITION BY program_id, week_number, day_number
         -- The identity where nothing else tells them apart: by chance, but the same in every order of imports.
         ORDER BY coalesce(completed_at, ''), seen, _event_id
       ) AS fold_order,
       _event_id
FROM sessions
