-- name: LobbyGet :one
SELECT sqlc.embed(e) FROM meetd.lobby_entry e
WHERE room_id = sqlc.arg(room_id) AND participant_id = sqlc.arg(participant_id) AND expires_at > sqlc.arg(now);

-- name: LobbyRenew :one
-- Only who waits is renewed. Who was let in under another identity waits again: or
-- he had two, and one of them would be left when the other is removed.
UPDATE meetd.lobby_entry e
SET identity = sqlc.arg(identity),
    status = CASE WHEN e.status = 'accepted' AND e.identity <> sqlc.arg(identity) THEN 'waiting' ELSE e.status END,
    expires_at = CASE WHEN e.status = 'waiting' OR e.status = 'accepted' AND e.identity <> sqlc.arg(identity)
        THEN sqlc.arg(until)::timestamptz ELSE e.expires_at END
WHERE e.room_id = sqlc.arg(room_id) AND e.participant_id = sqlc.arg(participant_id) AND e.expires_at > sqlc.arg(now)
RETURNING sqlc.embed(e), coalesce((SELECT n.told_at FROM meetd.lobby_notice n WHERE n.room_id = e.room_id), 'epoch')::timestamptz AS told_at;

-- name: LobbyAdd :one
-- No row when there is an entry already.
INSERT INTO meetd.lobby_entry AS e (room_id, participant_id, identity, status, username, color, client, since, expires_at)
VALUES (sqlc.arg(room_id), sqlc.arg(participant_id), sqlc.arg(identity), sqlc.arg(status), sqlc.arg(username),
    sqlc.arg(color), sqlc.arg(client), sqlc.arg(since), sqlc.arg(expires_at))
ON CONFLICT (room_id, participant_id) DO UPDATE SET
    identity = excluded.identity, status = excluded.status, username = excluded.username,
    color = excluded.color, client = excluded.client, since = excluded.since, expires_at = excluded.expires_at
WHERE e.expires_at <= excluded.since
RETURNING coalesce((SELECT n.told_at FROM meetd.lobby_notice n WHERE n.room_id = e.room_id), 'epoch')::timestamptz AS told_at;

-- name: LobbyDecide :execrows
UPDATE meetd.lobby_entry SET status = sqlc.arg(status), expires_at = sqlc.arg(until)
WHERE room_id = sqlc.arg(room_id) AND participant_id = sqlc.arg(participant_id) AND expires_at > sqlc.arg(now);

-- name: LobbyWaiting :many
-- Where there are too many, each address has its first one, then its second, and so
-- on: who makes up guests does not hide those who come from elsewhere.
SELECT sqlc.embed(e) FROM meetd.lobby_entry e
WHERE e.room_id = sqlc.arg(room_id) AND e.participant_id IN (
    SELECT t.participant_id FROM (
        SELECT w.participant_id, w.since, row_number() OVER (PARTITION BY w.client ORDER BY w.since, w.participant_id) AS turn
        FROM meetd.lobby_entry w
        WHERE w.room_id = sqlc.arg(room_id) AND w.status = 'waiting' AND w.expires_at > sqlc.arg(now)
    ) t
    ORDER BY t.turn, t.since, t.participant_id
    LIMIT sqlc.arg(max_entries)
)
ORDER BY e.since, e.participant_id;

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
