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
	// counted, and the wait until there is room is returned.
	Hit(ctx context.Context, bucket string, r Rate, now time.Time) (wait time.Duration, err error)
	// Wait is Hit without counting.
	Wait(ctx context.Context, bucket string, r Rate, now time.Time) (wait time.Duration, err error)
	// DeleteExpired forgets the buckets that are empty at now.
	DeleteExpired(ctx context.Context, now time.Time) error
}
