-- name: LobbyGet :one
SELECT sqlc.embed(e) FROM meetd.lobby_entry e
WHERE room_id = sqlc.arg(room_id) AND participant_id = sqlc.arg(participant_id) AND expires_at > sqlc.arg(now);

-- name: LobbyRenew :one
-- Only who waits is renewed.
UPDATE meetd.lobby_entry e
SET identity = sqlc.arg(identity),
    expires_at = CASE e.status WHEN 'waiting' THEN sqlc.arg(until)::timestamptz ELSE e.expires_at END
WHERE e.room_id = sqlc.arg(room_id) AND e.participant_id = sqlc.arg(participant_id) AND e.expires_at > sqlc.arg(now)
RETURNING sqlc.embed(e), coalesce((SELECT n.told_at FROM meetd.lobby_notice n WHERE n.room_id = e.room_id), 'epoch')::timestamptz AS told_at;

-- name: LobbyAdd :one
-- No row when there is an entry already.
INSERT INTO meetd.lobby_entry AS e (room_id, participant_id, identity, status, username, color, since, expires_at)
VALUES (sqlc.arg(room_id), sqlc.arg(participant_id), sqlc.arg(identity), sqlc.arg(status), sqlc.arg(username),
    sqlc.arg(color), sqlc.arg(since), sqlc.arg(expires_at))
ON CONFLICT (room_id, participant_id) DO UPDATE SET
    identity = excluded.identity, status = excluded.status, username = excluded.username,
    color = excluded.color, since = excluded.since, expires_at = excluded.expires_at
WHERE e.expires_at <= excluded.since
RETURNING coalesce((SELECT n.told_at FROM meetd.lobby_notice n WHERE n.room_id = e.room_id), 'epoch')::timestamptz AS told_at;

-- name: LobbyDecide :execrows
UPDATE meetd.lobby_entry SET status = sqlc.arg(status), expires_at = sqlc.arg(until)
WHERE room_id = sqlc.arg(room_id) AND participant_id = sqlc.arg(participant_id) AND expires_at > sqlc.arg(now);

-- name: LobbyWaiting :many
SELECT sqlc.embed(e) FROM meetd.lobby_entry e
WHERE room_id = sqlc.arg(room_id) AND status = 'waiting' AND expires_at > sqlc.arg(now)
ORDER BY since, participant_id
LIMIT sqlc.arg(max_entries);

-- name: LobbyTold :execrows
-- No row is touched when the room was told since.
INSERT INTO meetd.lobby_notice AS n (room_id, told_at) VALUES (sqlc.arg(room_id), sqlc.arg(now))
ON CONFLICT (room_id) DO UPDATE SET told_at = excluded.told_at WHERE n.told_at = sqlc.arg(told)::timestamptz;

-- name: LobbyClearEntries :exec
DELETE FROM meetd.lobby_entry WHERE room_id = $1;

-- name: LobbyClearNotice :exec
DELETE FROM meetd.lobby_notice WHERE room_id = $1;

-- name: LobbyForget :exec
DELETE FROM meetd.lobby_entry WHERE room_id = $1 AND identity = $2;

-- name: LobbyDeleteExpiredEntries :exec
DELETE FROM meetd.lobby_entry WHERE expires_at <= $1;

-- name: LobbyDeleteOldNotices :exec
DELETE FROM meetd.lobby_notice WHERE told_at <= $1;
