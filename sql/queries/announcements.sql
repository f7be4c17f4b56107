-- name: AnnouncementsAdd :exec
INSERT INTO meetd.announcement (event_id, at, type, recording_id, payload)
SELECT
    unnest(sqlc.arg(event_ids)::uuid[]), sqlc.arg(at), unnest(sqlc.arg(types)::text[]),
    unnest(sqlc.arg(recordings)::uuid[]), unnest(sqlc.arg(payloads)::text[])::json;

-- name: AnnouncementPayload :one
SELECT payload FROM meetd.announcement WHERE event_id = $1;

-- name: AnnouncementsAfter :many
-- Those after a cursor, but for the ones that something may still come before:
-- transactions from the horizon on may be under way.
SELECT xid::text::bigint AS xid, id, payload FROM meetd.announcement
WHERE (xid, id) > (sqlc.arg(after_xid)::bigint::text::xid8, sqlc.arg(after_id)::bigint)
  AND xid < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY xid, id
LIMIT sqlc.arg(page);

-- name: TransactionReached :one
-- Whether this server has come to a transaction yet.
SELECT (sqlc.arg(xid)::bigint::text::xid8 < pg_snapshot_xmax(pg_current_snapshot()))::boolean;

-- name: AnnouncementsAdopt :exec
-- A dump that was restored on another server brings transactions to which that one
-- has not come. They are over: what they wrote comes first.
UPDATE meetd.announcement SET xid = '3' WHERE xid >= pg_snapshot_xmax(pg_current_snapshot());

-- name: AnnouncementDeleteOld :execrows
DELETE FROM meetd.announcement WHERE at < $1;
