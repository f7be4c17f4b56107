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
-- A page of the rooms somebody has a role on, by name: all of them are looked up
-- and sorted. LIMIT 1 keeps the planner at index look-ups, however many it thinks
-- there will be.
SELECT
    x.resource_id, x.name, x.slug, x.configuration, x.access_level, x.pin_code, x.created_at, x.updated_at, p.role
FROM (
    SELECT a.resource_id, a.role, f.name
    FROM meet_resource_access a
    CROSS JOIN LATERAL (SELECT c.name FROM meet_room c WHERE c.resource_id = a.resource_id LIMIT 1) f
    WHERE a.user_id = sqlc.arg(user_id)
    ORDER BY f.name, a.resource_id
    LIMIT sqlc.arg(page_size) OFFSET sqlc.arg(skip)
) p
CROSS JOIN LATERAL (
    SELECT m.resource_id, m.name, m.slug, m.configuration, m.access_level, m.pin_code, r.created_at, r.updated_at
    FROM meet_room m JOIN meet_resource r ON r.id = m.resource_id
    WHERE m.resource_id = p.resource_id
    LIMIT 1
) x
ORDER BY p.name, p.resource_id;

-- name: RoomListOfFirst :many
-- The same page for somebody who has very many: the first rooms of all are walked
-- until the page is full. It is not full when too few of them are his.
SELECT
    x.resource_id, x.name, x.slug, x.configuration, x.access_level, x.pin_code, x.created_at, x.updated_at, p.role
FROM (
    SELECT n.resource_id, n.name, held.role
    FROM (
        SELECT c.resource_id, c.name FROM meet_room c ORDER BY c.name, c.resource_id LIMIT sqlc.arg(among)
    ) n
    CROSS JOIN LATERAL (
        SELECT a.role FROM meet_resource_access a WHERE a.resource_id = n.resource_id AND a.user_id = sqlc.arg(user_id) LIMIT 1
    ) held
    ORDER BY n.name, n.resource_id
    LIMIT sqlc.arg(page_size) OFFSET sqlc.arg(skip)
) p
CROSS JOIN LATERAL (
    SELECT m.resource_id, m.name, m.slug, m.configuration, m.access_level, m.pin_code, r.created_at, r.updated_at
    FROM meet_room m JOIN meet_resource r ON r.id = m.resource_id
    WHERE m.resource_id = p.resource_id
    LIMIT 1
) x
ORDER BY p.name, p.resource_id;

-- name: RoomCount :one
-- How many rooms somebody has a role on, and about how many there are at all.
SELECT
    count(*) AS held,
    (SELECT greatest(c.reltuples, 0)::bigint FROM pg_catalog.pg_class c WHERE c.oid = 'meet_room'::regclass)::bigint AS total
FROM meet_resource_access WHERE user_id = $1;

-- name: RoomSet :exec
UPDATE meet_room SET name = $2, slug = $3, configuration = $4, access_level = $5 WHERE resource_id = $1;

-- name: ResourceTouch :exec
UPDATE meet_resource SET updated_at = $2 WHERE id = $1;

-- name: RoomDeleteAccesses :exec
DELETE FROM meet_resource_access WHERE resource_id = $1;

-- name: RoomDelete :exec
DELETE FROM meet_room WHERE resource_id = $1;

-- name: ResourceDelete :exec
DELETE FROM meet_resource WHERE id = $1;

-- name: RoomPINTaken :one
SELECT EXISTS (SELECT 1 FROM meet_room WHERE pin_code = $1);

-- name: RoomSlugs :many
SELECT resource_id, slug FROM meet_room WHERE resource_id = ANY(sqlc.arg(ids)::uuid[]);
