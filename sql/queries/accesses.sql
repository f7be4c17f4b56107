-- name: RoomRole :one
SELECT role FROM meet_resource_access WHERE resource_id = $1 AND user_id = $2;

-- name: RoomMembers :many
SELECT a.id, a.resource_id, a.role, sqlc.embed(u)
FROM meet_resource_access a JOIN meet_user u ON u.id = a.user_id
WHERE a.resource_id = ANY (sqlc.arg(rooms)::uuid[])
ORDER BY a.created_at DESC, a.id;

-- name: AccessListAdministered :many
SELECT a.id, a.resource_id, a.user_id, a.role
FROM meet_resource_access a
JOIN meet_resource_access mine ON mine.resource_id = a.resource_id AND mine.user_id = $1 AND mine.role IN ('owner', 'administrator')
ORDER BY a.created_at DESC, a.id
LIMIT $2 OFFSET $3;

-- name: AccessCountAdministered :one
SELECT count(*)
FROM meet_resource_access a
JOIN meet_resource_access mine ON mine.resource_id = a.resource_id AND mine.user_id = $1 AND mine.role IN ('owner', 'administrator');

-- name: AccessGet :one
SELECT id, resource_id, user_id, role FROM meet_resource_access WHERE id = $1;

-- name: ResourceLock :one
SELECT id FROM meet_resource WHERE id = $1 FOR UPDATE;

-- name: AccessOwners :one
SELECT count(*) FROM meet_resource_access WHERE resource_id = $1 AND role = 'owner';

-- name: AccessSave :exec
INSERT INTO meet_resource_access (id, created_at, updated_at, role, resource_id, user_id)
VALUES (sqlc.arg(id), sqlc.arg(at), sqlc.arg(at), sqlc.arg(role), sqlc.arg(resource_id), sqlc.arg(user_id))
ON CONFLICT (id) DO UPDATE SET role = excluded.role, updated_at = excluded.updated_at;

-- name: AccessDelete :exec
DELETE FROM meet_resource_access WHERE id = $1;
