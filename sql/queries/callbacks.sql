-- name: CallbackKeep :exec
INSERT INTO meetd.room_callback (id_hash, slug, expires_at) VALUES ($1, $2, $3)
ON CONFLICT (id_hash) DO UPDATE SET slug = excluded.slug, expires_at = excluded.expires_at;

-- name: CallbackTake :one
DELETE FROM meetd.room_callback WHERE id_hash = sqlc.arg(id_hash) AND expires_at > sqlc.arg(now) RETURNING slug;

-- name: CallbackDeleteExpired :exec
DELETE FROM meetd.room_callback WHERE expires_at <= $1;
