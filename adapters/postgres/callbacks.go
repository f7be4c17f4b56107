package postgres

import (
	"context"
	"crypto/sha256"
	"time"

	"meetd/adapters/postgres/internal/db"
)

// callbacks keeps hashes: whoever knows a callback gets the room.
type callbacks struct{ c conn }

func hashed(text string) []byte {
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

func (r callbacks) Keep(ctx context.Context, callback, slug string, until time.Time) error {
	return translate(q.CallbackKeep(ctx, r.c, db.CallbackKeepParams{IDHash: hashed(callback), Slug: slug, ExpiresAt: until}), "callback")
}

func (r callbacks) Take(ctx context.Context, callback string, now time.Time) (string, error) {
	slug, err := q.CallbackTake(ctx, r.c, db.CallbackTakeParams{IDHash: hashed(callback), Now: now})
	return slug, translate(err, "callback")
}

func (r callbacks) DeleteExpired(ctx context.Context, now time.Time) error {
	return translate(q.CallbackDeleteExpired(ctx, r.c, now), "callback")
}
