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

-- name: RoomBySlug :one
SELECT sqlc.embed(m), r.created_at, r.updated_at
FROM meet_room m JOIN meet_resource r ON r.id = m.resource_id
WHERE m.slug = $1;

-- name: RoomRole :one
SELECT role FROM meet_resource_access WHERE resource_id = $1 AND user_id = $2;

-- name: RoomAccesses :many
SELECT a.id, a.role, sqlc.embed(u)
FROM meet_resource_access a JOIN meet_user u ON u.id = a.user_id
WHERE a.resource_id = $1
ORDER BY a.created_at DESC, a.id;

-- name: RoomPINTaken :one
SELECT EXISTS (SELECT 1 FROM meet_room WHERE pin_code = $1);
