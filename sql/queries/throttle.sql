-- name: ThrottleHit :execrows
-- No row is touched when the bucket is full.
INSERT INTO meetd.throttle AS t (bucket, hits, expires_at)
VALUES (sqlc.arg(bucket), ARRAY[sqlc.arg(now)::timestamptz], sqlc.arg(expires_at))
ON CONFLICT (bucket) DO UPDATE SET
    hits = ARRAY(SELECT h FROM unnest(t.hits) h WHERE h > sqlc.arg(since)::timestamptz) || sqlc.arg(now)::timestamptz,
    expires_at = excluded.expires_at
WHERE (SELECT count(*) FROM unnest(t.hits) h WHERE h > sqlc.arg(since)::timestamptz) < sqlc.arg(max_hits)::bigint;

-- name: ThrottleKnow :exec
INSERT INTO meetd.throttle (bucket, hits, expires_at) VALUES (sqlc.arg(bucket), '{}', sqlc.arg(expires_at))
ON CONFLICT (bucket) DO UPDATE SET expires_at = excluded.expires_at;

-- name: ThrottleHitKnown :execrows
-- ThrottleHit for a bucket that is there.
UPDATE meetd.throttle t SET
    hits = ARRAY(SELECT h FROM unnest(t.hits) h WHERE h > sqlc.arg(since)::timestamptz) || sqlc.arg(now)::timestamptz,
    expires_at = sqlc.arg(expires_at)
WHERE t.bucket = sqlc.arg(bucket) AND t.expires_at > sqlc.arg(now)
    AND (SELECT count(*) FROM unnest(t.hits) h WHERE h > sqlc.arg(since)::timestamptz) < sqlc.arg(max_hits)::bigint;

-- name: ThrottleOldest :one
-- The hit that must pass before there is room; no row when there is room.
SELECT min(h)::timestamptz AS oldest
FROM meetd.throttle t, unnest(t.hits) h
WHERE t.bucket = sqlc.arg(bucket) AND h > sqlc.arg(since)::timestamptz
HAVING count(*) >= sqlc.arg(max_hits)::bigint;

-- name: ThrottleDeleteExpired :exec
DELETE FROM meetd.throttle WHERE expires_at <= $1;
