-- name: ResourceInsert :exec
INSERT INTO meet_resource (id, created_at, updated_at) VALUES ($1, $2, $3);

-- name: RoomInsert :exec
INSERT INTO meet_room (resource_id, name, slug, configuration, access_level, pin_code) VALUES ($1, $2, $3, $4, $5, $6);

-- name: ResourceAccessInsert :exec
INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id) VALUES ($1, $2, $2, $3, $4, $5);

-- name: RoomGet :one
SELECT sqlc.embed(m), r.created_at, r.updated_at
FROM meet_room m JOIN meet_resource r ON r.id = m.resource_id
WHERE m.resource_id = $1;

-- name: RoomByPIN :one
SELECT sqlc.embed(m), r.created_at, r.updated_at
FROM meet_room m JOIN meet_resource r ON r.id = m.resource_id
WHERE m.pin_code = sqlc.arg(pin_code)::text;

-- name: RoomHeld :one
-- A room by its id, and the role of one account on it; empty for none.
SELECT sqlc.embed(m), r.created_at, r.updated_at, coalesce(a.role, '') AS role
FROM meet_room m JOIN meet_resource r ON r.id = m.resource_id
LEFT JOIN meet_resource_access a ON a.resource_id = m.resource_id AND a.user_id = sqlc.arg(user_id)
WHERE m.resource_id = $1;

-- name: RoomHeldBySlug :one
SELECT sqlc.embed(m), r.created_at, r.updated_at, coalesce(a.role, '') AS role
FROM meet_room m JOIN meet_resource r ON r.id = m.resource_id
LEFT JOIN meet_resource_access a ON a.resource_id = m.resource_id AND a.user_id = sqlc.arg(user_id)
WHERE m.slug = $1;

-- name: RoomGetForUpdate :one
SELECT sqlc.embed(m), r.created_at, r.updated_at
FROM meet_room m JOIN meet_resource r ON r.id = m.resource_id
WHERE m.resource_id = $1
FOR UPDATE;

-- name: RoomList :many
SELECT sqlc.embed(m), r.created_at, r.updated_at, a.role
FROM meet_resource_access a
JOIN meet_room m ON m.resource_id = a.resource_id
JOIN meet_resource r ON r.id = a.resource_id
WHERE a.user_id = $1
ORDER BY m.name, m.resource_id
LIMIT $2 OFFSET $3;

-- name: RoomCount :one
SELECT count(*) FROM meet_resource_access WHERE user_id = $1;

-- name: RoomSet :exec
UPDATE meet_room SET name = $2, slug = $3, configuration = $4, access_level = $5 WHERE resource_id = $1;

-- name: ResourceTouch :exec
UPDATE meet_resource SET updated_at = $2 WHERE id = $1;

-- name: RoomDeleteRecordingAccesses :exec
DELETE FROM meet_recording_access a USING meet_recording r WHERE r.id = a.recording_id AND r.room_id = $1;

-- name: RoomDeleteRecordingStates :exec
DELETE FROM meetd.recording_state s USING meet_recording r WHERE r.id = s.recording_id AND r.room_id = $1;

-- name: RoomDeleteRecordings :exec
DELETE FROM meet_recording WHERE room_id = $1;

-- name: RoomDeleteAccesses :exec
DELETE FROM meet_resource_access WHERE resource_id = $1;

-- name: RoomDelete :exec
DELETE FROM meet_room WHERE resource_id = $1;

-- name: ResourceDelete :exec
DELETE FROM meet_resource WHERE id = $1;

-- name: RoomPINTaken :one
SELECT EXISTS (SELECT 1 FROM meet_room WHERE pin_code = $1);
