-- name: UserGet :one
SELECT * FROM meet_user WHERE id = $1;

-- name: UserBySub :one
SELECT * FROM meet_user WHERE sub = $1;

-- name: UsersByEmail :many
-- Two are enough to know that the address is ambiguous.
SELECT * FROM meet_user WHERE lower(email) = lower($1) ORDER BY created_at LIMIT 2;

-- name: UserInsert :exec
INSERT INTO meet_user (
    id, password, last_login, is_superuser, created_at, updated_at, sub, email, admin_email,
    language, timezone, is_device, is_staff, is_active, full_name, short_name,
    default_room_access_level, default_room_configuration
) VALUES (
    sqlc.arg(id), sqlc.arg(password), NULL, false, sqlc.arg(created_at), sqlc.arg(created_at), sqlc.arg(sub), sqlc.arg(email), NULL,
    sqlc.arg(language), sqlc.arg(timezone), false, false, true, sqlc.arg(full_name), sqlc.arg(short_name),
    NULL, '{}'
);

-- name: UserSetClaims :exec
-- Like every partial save, it leaves updated_at alone (database.md §1).
UPDATE meet_user SET sub = $2, email = $3, full_name = $4, short_name = $5 WHERE id = $1;

-- name: UserSetLastLogin :exec
UPDATE meet_user SET last_login = $2 WHERE id = $1;
