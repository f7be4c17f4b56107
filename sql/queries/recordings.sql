-- name: RecordingInsert :exec
INSERT INTO meet_recording (id, created_at, updated_at, status, worker_id, room_id, mode, options, external_process_id)
VALUES ($1, $2, $3, $4, NULL, $5, $6, $7, NULL);

-- name: RecordingAccessInsert :exec
INSERT INTO meet_recording_access (id, created_at, updated_at, team, role, recording_id, user_id)
VALUES ($1, $2, $2, '', $3, $4, $5);

-- name: RecordingGet :one
SELECT sqlc.embed(r), s.egress, s.unsure
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.id = $1;

-- name: RecordingsLock :many
-- In one order for all, so that two who lock several cannot wait for each other.
SELECT sqlc.embed(r), s.egress, s.unsure
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.id = ANY(sqlc.arg(ids)::uuid[])
ORDER BY r.id
FOR UPDATE OF r;

-- name: RecordingIDByWorker :one
SELECT id FROM meet_recording WHERE worker_id = sqlc.arg(worker_id)::text;

-- name: RecordingIDByProcess :one
SELECT id FROM meet_recording WHERE external_process_id = sqlc.arg(process)::text;

-- name: RecordingsGivenUp :many
-- Those that nobody wants to go on: their start failed, or their stop was not confirmed.
SELECT r.id FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.id = ANY(sqlc.arg(ids)::uuid[]) AND (r.status = 'failed_to_start' OR (r.status = 'failed_to_stop' AND s.unsure));

-- name: RecordingActiveOfRoom :one
SELECT sqlc.embed(r), s.egress, s.unsure
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.room_id = $1 AND r.status = 'active';

-- name: RecordingLatestOfRoom :one
SELECT sqlc.embed(r), s.egress, s.unsure
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.room_id = $1
ORDER BY r.created_at DESC, r.id
LIMIT 1;

-- name: RecordingsUnfinished :many
-- Those without an end that have not changed for a while and are due to be looked
-- at, oldest first, a page at a time. The second half is for those that may have
-- stopped, which are few and rare.
SELECT sqlc.embed(r), s.egress, s.unsure
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.id IN (
    SELECT o.id FROM meet_recording o WHERE o.status IN ('initiated', 'active', 'stopped')
    UNION ALL
    SELECT u.recording_id FROM meetd.recording_state u WHERE u.unsure
  )
  AND (r.status IN ('initiated', 'active', 'stopped') OR r.status = 'failed_to_stop')
  AND r.updated_at < sqlc.arg(before)
  AND (s.look_at IS NULL OR s.look_at <= sqlc.arg(now))
  AND (r.created_at, r.id) > (sqlc.arg(after_created)::timestamptz, sqlc.arg(after_id)::uuid)
ORDER BY r.created_at, r.id
LIMIT sqlc.arg(page);

-- name: RecordingsSet :exec
UPDATE meet_recording r SET
    status = u.status, worker_id = nullif(u.worker, ''), external_process_id = nullif(u.process, ''),
    options = u.options::jsonb, updated_at = u.updated_at
FROM (
    SELECT
        unnest(sqlc.arg(ids)::uuid[]) AS id,
        unnest(sqlc.arg(statuses)::text[]) AS status,
        unnest(sqlc.arg(workers)::text[]) AS worker,
        unnest(sqlc.arg(processes)::text[]) AS process,
        unnest(sqlc.arg(options)::text[]) AS options,
        unnest(sqlc.arg(updated_ats)::timestamptz[]) AS updated_at
) u
WHERE r.id = u.id;

-- name: RecordingStatesSet :exec
-- What changed is looked at anew.
INSERT INTO meetd.recording_state (recording_id, egress, unsure, updated_at)
SELECT unnest(sqlc.arg(ids)::uuid[]), unnest(sqlc.arg(egresses)::text[]), unnest(sqlc.arg(unsures)::boolean[]), sqlc.arg(now)
ON CONFLICT (recording_id) DO UPDATE SET
    egress = excluded.egress, unsure = excluded.unsure, updated_at = excluded.updated_at, looks = 0, look_at = NULL;

-- name: RecordingLookAgain :exec
-- Each time twice as late as the time before, up to a limit; all in seconds.
INSERT INTO meetd.recording_state AS s (recording_id, looks, look_at, updated_at)
VALUES (sqlc.arg(id), 1, sqlc.arg(now)::timestamptz + make_interval(secs => sqlc.arg(pause)::float8), sqlc.arg(now))
ON CONFLICT (recording_id) DO UPDATE SET
    looks = s.looks + 1,
    look_at = sqlc.arg(now)::timestamptz
        + make_interval(secs => least(sqlc.arg(pause)::float8 * 2 ^ least(s.looks, 20), sqlc.arg(longest)::float8));

-- name: MediaChecks :many
-- All that decides about downloads, for many browsers in one round trip: the
-- n-th key asks for the n-th recording. No row for one: no session, or a
-- disabled account. LIMIT keeps the planner at index look-ups for each, however
-- many it thinks there will be.
SELECT q.n::int AS n, f.user_id, f.status, f.mode, f.created_at, f.role, f.team_role, f.slug
FROM (
    SELECT
        unnest(sqlc.arg(keys)::bytea[]) AS key,
        unnest(sqlc.arg(ids)::uuid[]) AS id,
        generate_subscripts(sqlc.arg(keys)::bytea[], 1) AS n
) q
CROSS JOIN LATERAL (
    SELECT
        u.id AS user_id, r.status, r.mode, r.created_at, a.role, room.slug,
        -- Most people have no teams, and need not pay for them.
        CASE WHEN s.teams <> '{}' THEN coalesce((
            SELECT t.role FROM meet_recording_access t
            WHERE t.recording_id = r.id AND t.team > '' AND t.team = ANY(s.teams)
            ORDER BY array_position(ARRAY['owner', 'administrator'], t.role::text)
            LIMIT 1
        ), '') ELSE '' END::text AS team_role
    FROM meetd.session s
    JOIN meet_user u ON u.id = s.user_id AND u.is_active
    LEFT JOIN meet_recording r ON r.id = q.id
    LEFT JOIN meet_room room ON room.resource_id = r.room_id
    LEFT JOIN meet_recording_access a ON a.recording_id = r.id AND a.user_id = u.id
    WHERE s.id_hash = q.key AND s.expires_at > sqlc.arg(now)
    LIMIT 1
) f;

-- name: RecordingHeld :one
-- A recording, its room, and the roles that somebody has on it: his own and the
-- strongest of his teams; empty for none.
SELECT
    sqlc.embed(r), s.egress, s.unsure, room.name, room.slug, room.access_level,
    coalesce(a.role, '') AS role,
    coalesce((
        SELECT t.role FROM meet_recording_access t
        WHERE t.recording_id = r.id AND t.team > '' AND t.team = ANY(sqlc.arg(teams)::text[])
        ORDER BY array_position(ARRAY['owner', 'administrator'], t.role::text)
        LIMIT 1
    ), '')::text AS team_role
FROM meet_recording r
JOIN meet_room room ON room.resource_id = r.room_id
LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
LEFT JOIN meet_recording_access a ON a.recording_id = r.id AND a.user_id = sqlc.arg(user_id)::uuid
WHERE r.id = sqlc.arg(id);

-- name: RecordingCount :one
-- How many recordings somebody has a role on, himself or through his teams, and
-- about how many there are at all.
SELECT (
    (SELECT count(*) FROM meet_recording_access a WHERE a.user_id = sqlc.arg(user_id)::uuid)
    + (
        SELECT count(DISTINCT t.recording_id) FROM meet_recording_access t
        WHERE t.team > '' AND t.team = ANY(sqlc.arg(teams)::text[])
        AND NOT EXISTS (
            SELECT FROM meet_recording_access o WHERE o.recording_id = t.recording_id AND o.user_id = sqlc.arg(user_id)::uuid
        )
    )
)::bigint AS held,
(SELECT greatest(c.reltuples, 0)::bigint FROM pg_catalog.pg_class c WHERE c.oid = 'meet_recording'::regclass)::bigint AS total;

-- name: RecordingPage :many
-- A page of the recordings somebody has a role on, newest first: all of them are
-- looked up and sorted. LIMIT 1 keeps the planner at index look-ups, however many
-- it thinks there will be.
SELECT
    x.id, x.created_at, x.updated_at, x.status, x.mode, x.options, x.room_id, x.name, x.slug, x.access_level
FROM (
    SELECT k.recording_id AS id, f.created_at
    FROM (
        SELECT a.recording_id FROM meet_recording_access a WHERE a.user_id = sqlc.arg(user_id)::uuid
        UNION ALL
        SELECT DISTINCT t.recording_id FROM meet_recording_access t
        WHERE t.team > '' AND t.team = ANY(sqlc.arg(teams)::text[])
        AND NOT EXISTS (
            SELECT FROM meet_recording_access o WHERE o.recording_id = t.recording_id AND o.user_id = sqlc.arg(user_id)::uuid
        )
    ) k
    CROSS JOIN LATERAL (SELECT c.created_at FROM meet_recording c WHERE c.id = k.recording_id LIMIT 1) f
    ORDER BY f.created_at DESC, k.recording_id DESC
    LIMIT sqlc.arg(page_size) OFFSET sqlc.arg(skip)
) p
CROSS JOIN LATERAL (
    SELECT r.id, r.created_at, r.updated_at, r.status, r.mode, r.options, r.room_id, room.name, room.slug, room.access_level
    FROM meet_recording r JOIN meet_room room ON room.resource_id = r.room_id
    WHERE r.id = p.id
    LIMIT 1
) x
ORDER BY p.created_at DESC, p.id DESC;

-- name: RecordingPageOfNewest :many
-- The same page for somebody who has very many: the newest recordings of all are
-- walked until the page is full. It is not full when too few of them are his.
SELECT
    x.id, x.created_at, x.updated_at, x.status, x.mode, x.options, x.room_id, x.name, x.slug, x.access_level
FROM (
    SELECT n.id, n.created_at
    FROM (
        SELECT c.id, c.created_at FROM meet_recording c ORDER BY c.created_at DESC, c.id DESC LIMIT sqlc.arg(among)
    ) n
    CROSS JOIN LATERAL (
        SELECT a.id FROM meet_recording_access a
        WHERE a.recording_id = n.id
        AND (a.user_id = sqlc.arg(user_id)::uuid OR (a.team > '' AND a.team = ANY(sqlc.arg(teams)::text[])))
        LIMIT 1
    ) held
    ORDER BY n.created_at DESC, n.id DESC
    LIMIT sqlc.arg(page_size) OFFSET sqlc.arg(skip)
) p
CROSS JOIN LATERAL (
    SELECT r.id, r.created_at, r.updated_at, r.status, r.mode, r.options, r.room_id, room.name, room.slug, room.access_level
    FROM meet_recording r JOIN meet_room room ON room.resource_id = r.room_id
    WHERE r.id = p.id
    LIMIT 1
) x
ORDER BY p.created_at DESC, p.id DESC;

-- name: RoomLock :one
SELECT resource_id FROM meet_room WHERE resource_id = $1 FOR UPDATE;

-- name: RecordingsLockOfRoom :many
SELECT sqlc.embed(r), s.egress, s.unsure
FROM meet_recording r LEFT JOIN meetd.recording_state s ON s.recording_id = r.id
WHERE r.room_id = $1
ORDER BY r.id
FOR UPDATE OF r;

-- name: RecordingsOutdated :many
-- What may be deleted because of its age, oldest first, a page at a time.
SELECT r.id, r.created_at FROM meet_recording r
WHERE r.created_at < sqlc.arg(before)
  AND (r.created_at, r.id) > (sqlc.arg(after_created)::timestamptz, sqlc.arg(after_id)::uuid)
  AND r.status NOT IN ('initiated', 'active')
  AND NOT EXISTS (SELECT FROM meetd.recording_hold h WHERE h.recording_id = r.id)
ORDER BY r.created_at, r.id
LIMIT sqlc.arg(page);

-- name: RecordingsDeleteAccesses :exec
DELETE FROM meet_recording_access WHERE recording_id = ANY(sqlc.arg(ids)::uuid[]);

-- name: RecordingsDeleteStates :exec
DELETE FROM meetd.recording_state WHERE recording_id = ANY(sqlc.arg(ids)::uuid[]);

-- name: RecordingsDeleteNotices :exec
DELETE FROM meetd.notice WHERE recording_id = ANY(sqlc.arg(ids)::uuid[]);

-- name: RecordingsDeleteEvents :exec
-- What waits to be applied to them. What was applied holds no more than ids, and
-- goes within days.
DELETE FROM meetd.kept_event
WHERE source = sqlc.arg(source) AND subject = ANY(sqlc.arg(subjects)::text[]) AND subject <> '' AND applied_at IS NULL;

-- name: RecordingsDelete :exec
DELETE FROM meet_recording WHERE id = ANY(sqlc.arg(ids)::uuid[]);

-- name: HoldInsert :exec
INSERT INTO meetd.recording_hold (recording_id, reason, placed_at, placed_by) VALUES ($1, $2, $3, $4);

-- name: HoldDelete :execrows
DELETE FROM meetd.recording_hold WHERE recording_id = $1;

-- name: HoldList :many
SELECT * FROM meetd.recording_hold ORDER BY placed_at, recording_id;

-- name: HoldAmong :many
SELECT recording_id FROM meetd.recording_hold WHERE recording_id = ANY(sqlc.arg(ids)::uuid[]);

-- name: RecordingsOpenByStatus :many
-- Those without an end, which an index knows.
SELECT status, count(*) AS number FROM meet_recording WHERE status IN ('initiated', 'active', 'stopped') GROUP BY status;
