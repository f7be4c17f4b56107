package ports

import (
	"context"
	"time"
)

// Rate is how often something may be done: Count times in any Period. The zero
// Rate is no limit.
type Rate struct {
	Count  int
	Period time.Duration
}

// Throttle counts what is done, for all nodes together (http-overview.md §6).
type Throttle interface {
	// Hit counts one more in the bucket, unless it is full: then nothing is
	// counted, and fault.TooMany says how long to wait.
	Hit(ctx context.Context, bucket string, r Rate, now time.Time) error
	// Know makes a bucket known for a period, without a hit.
	Know(ctx context.Context, bucket string, r Rate, now time.Time) error
	// HitKnown is Hit if the bucket is known or not empty, and reports whether it was
	// counted, which is so where there is no limit.
	HitKnown(ctx context.Context, bucket string, r Rate, now time.Time) (bool, error)
	// Check is Hit without counting.
	Check(ctx context.Context, bucket string, r Rate, now time.Time) error
	// DeleteExpired forgets the buckets that are empty at now.
	DeleteExpired(ctx context.Context, now time.Time) error
}
