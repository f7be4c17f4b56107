-- name: PersonRooms :many
SELECT DISTINCT a.resource_id FROM meet_resource_access a WHERE a.user_id = $1 ORDER BY 1;

-- name: RoomsLock :many
SELECT resource_id FROM meet_room WHERE resource_id = ANY(sqlc.arg(ids)::uuid[]) ORDER BY resource_id FOR UPDATE;

-- name: ResourcesLock :many
SELECT id FROM meet_resource WHERE id = ANY(sqlc.arg(ids)::uuid[]) ORDER BY id FOR UPDATE;

-- name: PersonRecordings :many
SELECT
    r.id, r.room_id, coalesce(a.role, '') AS role,
    EXISTS (
        SELECT FROM meet_recording_access o
        WHERE o.recording_id = r.id AND o.role = 'owner' AND o.user_id IS DISTINCT FROM sqlc.arg(person)::uuid
    )::boolean AS others
FROM meet_recording r LEFT JOIN meet_recording_access a ON a.recording_id = r.id AND a.user_id = sqlc.arg(person)::uuid
WHERE r.id IN (SELECT m.recording_id FROM meet_recording_access m WHERE m.user_id = sqlc.arg(person)::uuid)
   OR r.room_id = ANY(sqlc.arg(rooms)::uuid[])
ORDER BY r.id;

-- name: PersonFiles :many
SELECT id, filename FROM file WHERE creator_id = sqlc.arg(person)::uuid ORDER BY id;

-- name: PersonLock :one
SELECT id FROM meet_user WHERE id = $1 FOR UPDATE;

-- name: PersonEraseRoomAccesses :execrows
DELETE FROM meet_resource_access WHERE user_id = $1;

-- name: PersonEraseRecordingAccesses :execrows
DELETE FROM meet_recording_access WHERE user_id = sqlc.arg(person)::uuid;

-- name: PersonEraseGroups :execrows
DELETE FROM meet_user_groups WHERE user_id = $1;

-- name: PersonErasePermissions :execrows
DELETE FROM meet_user_user_permissions WHERE user_id = $1;

-- name: PersonEraseAdminLog :execrows
-- As Django does when it deletes the account: what the person did goes.
DELETE FROM django_admin_log WHERE user_id = $1;

-- name: PersonEraseSessions :execrows
DELETE FROM meetd.session WHERE user_id = sqlc.arg(person)::uuid;

-- name: PersonEraseNotices :execrows
DELETE FROM meetd.notice WHERE recipient = $1;

-- name: PersonEraseLobby :execrows
DELETE FROM meetd.lobby_entry WHERE identity = $1;

-- name: PersonEraseThrottle :execrows
-- Where somebody is counted by the id (invitations); addresses of networks are
-- forgotten by themselves.
DELETE FROM meetd.throttle WHERE strpos(bucket, sqlc.arg(person)::text) > 0;

-- name: PersonEraseFiles :execrows
-- The extension stays, by which the job that deletes the objects finds them; a name
-- that begins with its dots has none.
UPDATE file SET
    creator_id = NULL, title = 'deleted', filename = id::text || coalesce(substring(filename FROM '[^./][^/]*(\.[^./]*)$'), ''), description = NULL,
    deleted_at = coalesce(deleted_at, sqlc.arg(now)), hard_deleted_at = coalesce(hard_deleted_at, sqlc.arg(now)), updated_at = sqlc.arg(now)
WHERE creator_id = sqlc.arg(person)::uuid;

-- name: PersonEraseAccount :execrows
DELETE FROM meet_user WHERE id = $1;
