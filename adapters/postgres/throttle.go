package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"meetd/adapters/postgres/internal/db"
	"meetd/domain/fault"
	"meetd/ports"
)

// throttle is our own, because the libraries for it want Redis or count for one
// process only.
type throttle struct{ c conn }

func (r throttle) Hit(ctx context.Context, bucket string, rate ports.Rate, now time.Time) error {
	if rate.Count == 0 {
		return nil
	}
	n, err := q.ThrottleHit(ctx, r.c, db.ThrottleHitParams{
		Bucket: bucket, Now: now, ExpiresAt: now.Add(rate.Period), Since: now.Add(-rate.Period), MaxHits: int64(rate.Count),
	})
	if err != nil || n > 0 {
		return translate(err, "throttle")
	}
	return r.Check(ctx, bucket, rate, now)
}

func (r throttle) Know(ctx context.Context, bucket string, rate ports.Rate, now time.Time) error {
	if rate.Count == 0 {
		return nil
	}
	return translate(q.ThrottleKnow(ctx, r.c, db.ThrottleKnowParams{Bucket: bucket, ExpiresAt: now.Add(rate.Period)}), "throttle")
}

func (r throttle) HitKnown(ctx context.Context, bucket string, rate ports.Rate, now time.Time) (bool, error) {
	if rate.Count == 0 {
		return true, nil
	}
	n, err := q.ThrottleHitKnown(ctx, r.c, db.ThrottleHitKnownParams{
		Bucket: bucket, Now: now, ExpiresAt: now.Add(rate.Period), Since: now.Add(-rate.Period), MaxHits: int64(rate.Count),
	})
	if err != nil || n > 0 {
		return n > 0, translate(err, "throttle")
	}
	return false, r.Check(ctx, bucket, rate, now)
}

func (r throttle) Check(ctx context.Context, bucket string, rate ports.Rate, now time.Time) error {
	if rate.Count == 0 {
		return nil
	}
	oldest, err := q.ThrottleOldest(ctx, r.c, db.ThrottleOldestParams{
		Bucket: bucket, Since: now.Add(-rate.Period), MaxHits: int64(rate.Count),
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	} else if err != nil {
		return translate(err, "throttle")
	}
	scope, _, _ := strings.Cut(bucket, " ")
	return fault.Throttled(fault.Scope(scope), oldest.Add(rate.Period).Sub(now))
}

func (r throttle) DeleteExpired(ctx context.Context, now time.Time) error {
	return translate(q.ThrottleDeleteExpired(ctx, r.c, now), "throttle")
}
