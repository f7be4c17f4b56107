-- name: SessionInsert :exec
INSERT INTO meetd.session (id_hash, user_id, data, created_at, expires_at) VALUES ($1, $2, $3, $4, $5);

-- name: SessionGet :one
SELECT id_hash, user_id, data, created_at, expires_at FROM meetd.session WHERE id_hash = $1 AND expires_at > $2;

-- name: SessionGetForUpdate :one
SELECT id_hash, user_id, data, created_at, expires_at FROM meetd.session WHERE id_hash = $1 AND expires_at > $2 FOR UPDATE;

-- name: SessionUser :one
-- The account of a session: no row when the session is over, nobody is logged
-- in, or the account is disabled.
SELECT sqlc.embed(u)
FROM meetd.session s
JOIN meet_user u ON u.id = s.user_id
WHERE s.id_hash = $1 AND s.expires_at > $2 AND u.is_active;

-- name: SessionSetData :exec
UPDATE meetd.session SET data = $2 WHERE id_hash = $1;

-- name: SessionDelete :exec
DELETE FROM meetd.session WHERE id_hash = $1;

-- name: SessionDeleteExpired :execrows
DELETE FROM meetd.session WHERE expires_at <= $1;
