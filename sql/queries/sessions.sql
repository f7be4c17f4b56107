-- name: SessionInsert :exec
INSERT INTO meetd.session (id_hash, user_id, sub, sid, teams, data, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: SessionGet :one
SELECT * FROM meetd.session WHERE id_hash = $1 AND expires_at > $2;

-- name: SessionGetForUpdate :one
SELECT * FROM meetd.session WHERE id_hash = $1 AND expires_at > $2 FOR UPDATE;

-- name: SessionUser :one
-- The account of a session: no row when the session is over, nobody is logged
-- in, or the account is disabled.
SELECT sqlc.embed(u), s.teams
FROM meetd.session s
JOIN meet_user u ON u.id = s.user_id
WHERE s.id_hash = $1 AND s.expires_at > $2 AND u.is_active;

-- name: SessionSetData :exec
UPDATE meetd.session SET data = $2 WHERE id_hash = $1;

-- name: SessionExtend :exec
UPDATE meetd.session SET expires_at = $2 WHERE id_hash = $1 AND user_id IS NULL;

-- name: SessionDelete :exec
DELETE FROM meetd.session WHERE id_hash = $1;

-- name: SessionDeleteExpired :execrows
DELETE FROM meetd.session WHERE expires_at <= $1;

-- name: SessionDeleteByUser :execrows
DELETE FROM meetd.session WHERE user_id = $1;

-- name: SessionDeleteBySub :many
-- An empty sid stands for all sessions of the subject; a session of which the
-- sid is not known is ended with them.
DELETE FROM meetd.session
WHERE sub = sqlc.arg(sub) AND sub <> '' AND user_id IS NOT NULL
    AND (sqlc.arg(sid)::text = '' OR sid = '' OR sid = sqlc.arg(sid))
RETURNING user_id;

-- name: SessionDeleteBySID :many
DELETE FROM meetd.session WHERE sid = $1 AND sid <> '' AND user_id IS NOT NULL RETURNING user_id;

-- name: UsedTokenInsert :exec
INSERT INTO meetd.used_token (id_hash, expires_at) VALUES ($1, $2);

-- name: UsedTokenDeleteExpired :exec
DELETE FROM meetd.used_token WHERE expires_at <= $1;
