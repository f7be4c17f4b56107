-- name: FilesStalePending :many
SELECT id FROM file
WHERE upload_state = 'pending' AND created_at < sqlc.arg(before) AND hard_deleted_at IS NULL
ORDER BY created_at, id
LIMIT sqlc.arg(page)
FOR UPDATE SKIP LOCKED;

-- name: FilesPurgeable :many
SELECT id FROM file
WHERE (hard_deleted_at IS NOT NULL OR deleted_at <= sqlc.arg(before)) AND id > sqlc.arg(after)
ORDER BY id
LIMIT sqlc.arg(page)
FOR UPDATE SKIP LOCKED;

-- name: FilesHardDelete :exec
-- updated_at stays, as where Django saves named fields (database.md §1).
UPDATE file SET deleted_at = coalesce(deleted_at, sqlc.arg(now)), hard_deleted_at = sqlc.arg(now)
WHERE id = ANY(sqlc.arg(ids)::uuid[]) AND hard_deleted_at IS NULL;

-- name: FileHardDeleted :one
SELECT filename FROM file WHERE id = $1 AND hard_deleted_at IS NOT NULL;

-- name: FileDelete :exec
DELETE FROM file WHERE id = $1 AND hard_deleted_at IS NOT NULL;
