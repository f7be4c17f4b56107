-- name: NoticesAdd :many
-- Gives those that are new.
INSERT INTO meetd.notice (recording_id, kind, recipient, created_at)
SELECT unnest(sqlc.arg(recordings)::uuid[]), unnest(sqlc.arg(kinds)::text[]), unnest(sqlc.arg(recipients)::uuid[]), sqlc.arg(created_at)
ON CONFLICT (recording_id, kind, recipient) DO NOTHING
RETURNING recording_id, kind, recipient;

-- name: NoticeOpen :one
-- Gives when it was asked for.
SELECT created_at FROM meetd.notice WHERE recording_id = $1 AND kind = $2 AND recipient = $3 AND done_at IS NULL;

-- name: NoticeDone :exec
UPDATE meetd.notice SET done_at = sqlc.arg(done_at)
WHERE recording_id = $1 AND kind = $2 AND recipient = $3 AND done_at IS NULL;

-- name: NoticesOpen :one
SELECT count(*) FROM meetd.notice WHERE recording_id = $1 AND done_at IS NULL;

-- name: RecordingOwners :many
-- Owner accesses, oldest first.
SELECT sqlc.embed(u)
FROM meet_recording_access a JOIN meet_user u ON u.id = a.user_id
WHERE a.recording_id = $1 AND a.role = 'owner'
ORDER BY a.created_at, a.id;
