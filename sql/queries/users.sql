-- name: UserGet :one
SELECT * FROM meet_user WHERE id = $1;

-- name: UserGetForUpdate :one
SELECT * FROM meet_user WHERE id = $1 FOR NO KEY UPDATE;

-- name: UserBySub :one
SELECT * FROM meet_user WHERE sub = $1;

-- name: UsersByEmail :many
-- Two are enough to know that the address is ambiguous. The collation folds
-- ASCII letters only (migration 00007).
SELECT * FROM meet_user
WHERE lower(email COLLATE "C") = lower(sqlc.arg(email)::text COLLATE "C") AND email IS NOT NULL AND email <> ''
    AND (NOT sqlc.arg(pending)::boolean OR sub IS NULL OR sub = '')
ORDER BY created_at
LIMIT 2;

-- name: UserList :many
SELECT * FROM meet_user ORDER BY created_at DESC, id LIMIT $1 OFFSET $2;

-- name: UserCount :one
SELECT count(*) FROM meet_user;

-- name: UserSearch :many
-- Word similarity of the e-mail, by the threshold of pg_trgm (0.6).
SELECT * FROM meet_user WHERE sqlc.arg(search)::text <% email
ORDER BY created_at DESC, id LIMIT sqlc.arg(max_rows) OFFSET sqlc.arg(skip);

-- name: UserSearchCount :one
SELECT count(*) FROM meet_user WHERE sqlc.arg(search)::text <% email;

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

-- name: UserSetPreferences :exec
UPDATE meet_user
SET language = $2, timezone = $3, default_room_access_level = $4, default_room_configuration = $5, updated_at = $6
WHERE id = $1;

-- name: StaffByAdminEmailForUpdate :one
SELECT id, password, is_staff, is_superuser, is_active FROM meet_user WHERE admin_email = $1 FOR UPDATE;

-- name: StaffInsert :exec
INSERT INTO meet_user (
    id, password, last_login, is_superuser, created_at, updated_at, sub, email, admin_email,
    language, timezone, is_device, is_staff, is_active, full_name, short_name,
    default_room_access_level, default_room_configuration
) VALUES (
    sqlc.arg(id), sqlc.arg(password), NULL, sqlc.arg(is_superuser), sqlc.arg(at), sqlc.arg(at), NULL, NULL, sqlc.arg(admin_email),
    sqlc.arg(language), 'UTC', false, sqlc.arg(is_staff), sqlc.arg(is_active), NULL, NULL,
    NULL, '{}'
);

-- name: StaffUpdate :exec
UPDATE meet_user SET password = $2, is_staff = $3, is_superuser = $4, updated_at = $5 WHERE id = $1;

-- name: DemoUsersInsert :exec
-- Accounts to try the service with (database.md §6).
INSERT INTO meet_user (
    id, password, is_superuser, created_at, updated_at, email, admin_email,
    language, timezone, is_device, is_staff, is_active, default_room_configuration
)
SELECT
    gen_random_uuid(), '!', false, sqlc.arg(at), sqlc.arg(at), 'user' || n || '@example.com', 'user' || n || '@example.com',
    (sqlc.arg(languages)::text[])[1 + floor(random() * cardinality(sqlc.arg(languages)::text[]))::int], 'UTC', false, false, true, '{}'
FROM generate_series(0, 99) n;
