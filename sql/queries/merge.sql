-- Only what sqlc understands; the rest is in adapters/postgres/merge.go.

-- name: MergeAddresses :many
-- The index meetd_user_email serves the folded ones.
SELECT (CASE WHEN sqlc.arg(exact)::boolean THEN email ELSE lower(email COLLATE "C") END COLLATE "C")::text AS address
FROM meet_user
WHERE email IS NOT NULL AND email <> ''
  AND strpos(lower(email COLLATE "C"), lower(sqlc.arg(email_filter)::text COLLATE "C")) > 0
GROUP BY 1
HAVING count(*) > 1
ORDER BY 1;

-- name: MergeAccounts :many
SELECT
    id, created_at, (email)::text AS email, sub, admin_email, last_login, is_active, is_staff, is_superuser,
    language, timezone, default_room_access_level, default_room_configuration::text AS default_room_configuration,
    (SELECT count(*) FROM meet_resource_access a WHERE a.user_id = u.id) AS rooms,
    (SELECT count(*) FROM meet_recording_access a WHERE a.user_id = u.id) AS recordings,
    (SELECT count(*) FROM file f WHERE f.creator_id = u.id) AS files
FROM meet_user u
WHERE email IS NOT NULL AND email <> ''
  AND lower(email COLLATE "C") = ANY (ARRAY (SELECT lower(a COLLATE "C") FROM unnest(sqlc.arg(addresses)::text[]) a))
  AND (NOT sqlc.arg(exact)::boolean OR email = ANY (sqlc.arg(addresses)::text[]));

-- name: MergeAccountsForUpdate :many
SELECT id, created_at, (email)::text AS email, sub
FROM meet_user u
WHERE email IS NOT NULL AND email <> ''
  AND lower(email COLLATE "C") = ANY (ARRAY (SELECT lower(a COLLATE "C") FROM unnest(sqlc.arg(addresses)::text[]) a))
  AND (NOT sqlc.arg(exact)::boolean OR email = ANY (sqlc.arg(addresses)::text[]))
ORDER BY id
FOR UPDATE;

-- name: MergeRoomGrantsForUpdate :many
SELECT id, user_id, resource_id AS object_id, role FROM meet_resource_access
WHERE user_id = ANY (sqlc.arg(accounts)::uuid[])
ORDER BY id
FOR UPDATE;

-- name: MergeRecordingGrantsForUpdate :many
SELECT id, (user_id)::uuid AS user_id, recording_id AS object_id, role FROM meet_recording_access
WHERE user_id = ANY (sqlc.arg(accounts)::uuid[])
ORDER BY id
FOR UPDATE;

-- name: MergeJournalUnfinished :one
SELECT id FROM meetd.merge_journal
WHERE keep = $1 AND exact = $2 AND email_filter = $3
  AND finished_at IS NULL AND undo_started_at IS NULL
ORDER BY id DESC
LIMIT 1;

-- name: MergeJournalInsert :one
INSERT INTO meetd.merge_journal (keep, exact, email_filter, started_at) VALUES ($1, $2, $3, $4) RETURNING id;

-- name: MergeJournalDeleteEmpty :exec
DELETE FROM meetd.merge_journal j
WHERE j.id = $1 AND NOT EXISTS (SELECT 1 FROM meetd.merge_group g WHERE g.journal_id = j.id);

-- name: MergeJournalFinish :exec
UPDATE meetd.merge_journal SET finished_at = $2 WHERE id = $1;

-- name: MergeJournalTotals :one
-- Groups and accounts, all and those that were restored.
SELECT
    count(DISTINCT g.id) AS groups,
    count(i.id) AS accounts,
    (count(DISTINCT g.id) FILTER (WHERE g.undone_at IS NOT NULL))::bigint AS groups_undone,
    (count(i.id) FILTER (WHERE g.undone_at IS NOT NULL))::bigint AS accounts_undone
FROM meetd.merge_group g
LEFT JOIN meetd.merge_item i ON i.group_id = g.id AND i.kind = 'account'
WHERE g.journal_id = $1;

-- name: MergeGroupsInsert :many
INSERT INTO meetd.merge_group (journal_id, address, survivor_id, merged_at)
SELECT sqlc.arg(journal_id)::bigint, unnest(sqlc.arg(addresses)::text[]), unnest(sqlc.arg(survivors)::uuid[]), sqlc.arg(merged_at)::timestamptz
RETURNING id, survivor_id;

-- name: MergeJournalGet :one
SELECT undone_at FROM meetd.merge_journal WHERE id = $1;

-- name: MergeJournalLater :one
-- The newest later merge in which a survivor of this one had a part and that was
-- not undone; 0 when there is none.
SELECT coalesce(max(x.journal_id), 0)::bigint AS later
FROM (
    SELECT l.journal_id
    FROM meetd.merge_group l
    WHERE l.journal_id > $1 AND l.undone_at IS NULL
      AND l.survivor_id IN (SELECT g.survivor_id FROM meetd.merge_group g WHERE g.journal_id = $1 AND g.undone_at IS NULL)
    UNION ALL
    SELECT l.journal_id
    FROM meetd.merge_group l
    JOIN meetd.merge_item i ON i.group_id = l.id AND i.kind = 'account'
    WHERE l.journal_id > $1 AND l.undone_at IS NULL
      AND i.user_id IN (SELECT g.survivor_id FROM meetd.merge_group g WHERE g.journal_id = $1 AND g.undone_at IS NULL)
) x;

-- name: MergeJournalUndoing :exec
UPDATE meetd.merge_journal SET undo_started_at = coalesce(undo_started_at, $2) WHERE id = $1;

-- name: MergeGroupsToUndo :many
SELECT id, address FROM meetd.merge_group WHERE journal_id = $1 AND undone_at IS NULL ORDER BY id DESC;

-- name: MergeGroupsUndone :exec
UPDATE meetd.merge_group SET undone_at = sqlc.arg(undone_at)::timestamptz WHERE id = ANY (sqlc.arg(ids)::bigint[]);

-- name: MergeJournalUndone :exec
UPDATE meetd.merge_journal j SET undone_at = sqlc.arg(undone_at)::timestamptz
WHERE j.id = sqlc.arg(id) AND NOT EXISTS (SELECT 1 FROM meetd.merge_group g WHERE g.journal_id = j.id AND g.undone_at IS NULL);

-- name: MergeLeftBehind :many
SELECT g.address, i.user_id, i.kind, i.object_id, i.deleted, (i.skipped)::text AS why
FROM meetd.merge_item i JOIN meetd.merge_group g ON g.id = i.group_id
WHERE g.journal_id = $1 AND i.skipped IS NOT NULL
ORDER BY g.address COLLATE "C", g.id, i.id;

-- name: MergeSurvivorsForUpdate :many
SELECT id FROM meet_user
WHERE id IN (SELECT survivor_id FROM meetd.merge_group g WHERE g.id = ANY (sqlc.arg(groups)::bigint[]))
ORDER BY id
FOR UPDATE;
