-- name: RecordingInsert :exec
INSERT INTO meet_recording (id, created_at, updated_at, status, worker_id, room_id, mode, options, external_process_id)
VALUES ($1, $2, $3, $4, NULL, $5, $6, $7, NULL);

-- name: RecordingAccessInsert :exec
INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
VALUES ($1, $2, $2, '', $3, $4, $5);

-- name: RecordingGet :one
SELECT sqlc.embed(r), s.egress
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.id = $1;

-- name: RecordingGetForUpdate :one
SELECT sqlc.embed(r), s.egress
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.id = $1
FOR UPDATE OF r;

-- name: RecordingIDByWorker :one
SELECT id FROM meet_recording WHERE worker_id = sqlc.arg(worker_id)::text;

-- name: RecordingActiveOfRoom :one
SELECT sqlc.embed(r), s.egress
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.room_id = $1 AND r.status = 'active';

-- name: RecordingLatestOfRoom :one
SELECT sqlc.embed(r), s.egress
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.room_id = $1
ORDER BY r.created_at DESC, r.id
LIMIT 1;

-- name: RecordingRole :one
SELECT role FROM meet_recording_access WHERE recording_id = $1 AND user_id = sqlc.arg(user_id)::uuid;

-- name: RecordingsUnfinished :many
-- Open or stopped ones that have not changed for a while, oldest first, a page
-- at a time.
SELECT sqlc.embed(r), s.egress
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.status IN ('initiated', 'active', 'stopped')
  AND r.updated_at < sqlc.arg(before)
  AND (r.created_at, r.id) > (sqlc.arg(after_created)::timestamptz, sqlc.arg(after_id)::uuid)
ORDER BY r.created_at, r.id
LIMIT sqlc.arg(page);

-- name: RecordingSetStatus :exec
UPDATE meet_recording SET status = $2, worker_id = $3, updated_at = $4 WHERE id = $1;

-- name: RecordingSetOptions :exec
UPDATE meet_recording SET options = $2 WHERE id = $1;

-- name: RecordingStateSet :exec
INSERT INTO meetd.recording_state (recording_id, egress, updated_at) VALUES ($1, $2, $3)
ON CONFLICT (recording_id) DO UPDATE SET egress = excluded.egress, updated_at = excluded.updated_at;

-- name: MediaChecks :many
-- All that decides about downloads, for many browsers in one round trip: the
-- n-th key asks for the n-th recording. No row for one: no session, or a
-- disabled account. LIMIT keeps the planner at index look-ups for each, however
-- many it thinks there will be.
SELECT q.n::int AS n, f.status, f.mode, f.created_at, f.role
FROM (
    SELECT
        unnest(sqlc.arg(keys)::bytea[]) AS key,
        unnest(sqlc.arg(ids)::uuid[]) AS id,
        generate_subscripts(sqlc.arg(keys)::bytea[], 1) AS n
) q
CROSS JOIN LATERAL (
    SELECT r.status, r.mode, r.created_at, a.role
    FROM meetd.session s
    JOIN meet_user u ON u.id = s.user_id AND u.is_active
    LEFT JOIN meet_recording r ON r.id = q.id
    LEFT JOIN meet_recording_access a ON a.recording_id = r.id AND a.user_id = u.id
    WHERE s.id_hash = q.key AND s.expires_at > sqlc.arg(now)
    LIMIT 1
) f;
