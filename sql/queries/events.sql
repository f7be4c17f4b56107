-- name: EventsKeep :execrows
INSERT INTO meetd.kept_event (source, event_id, subject, payload, received_at, applied_at)
SELECT
    unnest(sqlc.arg(sources)::text[]), unnest(sqlc.arg(ids)::text[]), unnest(sqlc.arg(subjects)::text[]),
    unnest(sqlc.arg(payloads)::text[])::jsonb, sqlc.arg(received_at), sqlc.narg(applied_at)::timestamptz
ON CONFLICT (source, event_id) DO NOTHING;

-- name: EventsWaiting :many
SELECT event_id, payload FROM meetd.kept_event
WHERE source = $1 AND subject = $2 AND applied_at IS NULL
ORDER BY id
FOR UPDATE;

-- name: EventSubjectsWaiting :many
SELECT source, subject FROM meetd.kept_event
WHERE applied_at IS NULL AND received_at >= $1
GROUP BY source, subject
ORDER BY max(id) DESC
LIMIT $2;

-- name: EventApplied :exec
UPDATE meetd.kept_event SET applied_at = $3 WHERE source = $1 AND event_id = $2;

-- name: EventDeleteOld :execrows
DELETE FROM meetd.kept_event WHERE received_at < $1;

-- name: EventHeard :one
SELECT EXISTS (SELECT 1 FROM meetd.kept_event WHERE source = $1 AND subject = $2);

-- name: Clock :one
SELECT clock_timestamp()::timestamptz;
