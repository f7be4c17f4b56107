-- name: AuditEventInsert :exec
INSERT INTO meetd.audit_event (at, action, actor_id, subject, details) VALUES ($1, $2, $3, $4, $5);

-- name: AuditDownloadsInsert :exec
INSERT INTO meetd.audit_event (at, action, actor_id, subject, details)
SELECT
    unnest(sqlc.arg(ats)::timestamptz[]), 'recording_downloaded', unnest(sqlc.arg(actors)::uuid[]),
    unnest(sqlc.arg(subjects)::text[]), '{}'::jsonb
ON CONFLICT DO NOTHING;

-- name: AuditSealLock :exec
-- Only one seals at a time. "seal" in ASCII.
SELECT pg_advisory_xact_lock(1936023916);

-- name: AuditHead :one
SELECT seq, hash FROM meetd.audit_seal ORDER BY seq DESC LIMIT 1;

-- name: AuditUnsealed :many
-- What waits for a seal, in the order of the ids.
SELECT e.id, e.at, e.action, e.actor_id, e.subject, e.details
FROM meetd.audit_unsealed u JOIN meetd.audit_event e ON e.id = u.event_id
ORDER BY u.event_id
LIMIT sqlc.arg(page);

-- name: AuditSealsInsert :exec
INSERT INTO meetd.audit_seal (seq, event_id, hash)
SELECT unnest(sqlc.arg(seqs)::bigint[]), unnest(sqlc.arg(events)::bigint[]), unnest(sqlc.arg(hashes)::bytea[]);

-- name: AuditUnsealedDelete :exec
DELETE FROM meetd.audit_unsealed WHERE event_id = ANY(sqlc.arg(events)::bigint[]);

-- name: AuditLost :one
-- What is wrong beside the chain: an event that waits for a seal and is not there,
-- and one that neither has a seal nor waits for one; 0 for none.
SELECT
    coalesce((
        SELECT min(u.event_id) FROM meetd.audit_unsealed u
        WHERE NOT EXISTS (SELECT FROM meetd.audit_event e WHERE e.id = u.event_id)
    ), 0)::bigint AS gone,
    coalesce((
        SELECT min(e.id) FROM meetd.audit_event e
        WHERE NOT EXISTS (SELECT FROM meetd.audit_seal s WHERE s.event_id = e.id)
        AND NOT EXISTS (SELECT FROM meetd.audit_unsealed u WHERE u.event_id = e.id)
    ), 0)::bigint AS unclaimed,
    (SELECT count(*) FROM meetd.audit_event)::bigint AS events,
    (
        SELECT count(*) FROM meetd.audit_unsealed u
        WHERE NOT EXISTS (SELECT FROM meetd.audit_seal s WHERE s.event_id = u.event_id)
    )::bigint AS waiting;
