package postgres_test

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/devstack/pgtest"
	"meetd/adapters/postgres"
	"meetd/domain/fault"
	"meetd/ports"
)

func throttle(t *testing.T) ports.Throttle {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return (&postgres.Store{Pool: pool}).Repos().Throttle
}

// waitOf is how long a throttle says to wait, in whole seconds.
func waitOf(t *testing.T, err error) time.Duration {
	t.Helper()
	if err == nil {
		return 0
	}
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.TooMany {
		t.Errorf("no throttle: %v", err)
		return 0
	}
	seconds, err := strconv.Atoi(f.Subject)
	if err != nil {
		t.Error(err)
	}
	return time.Duration(seconds) * time.Second
}

// The window slides: a hit makes room again when it is a period old.
func TestThrottle(t *testing.T) {
	t.Parallel()
	th := throttle(t)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rate := ports.Rate{Count: 2, Period: time.Minute}
	for i, step := range []struct {
		bucket string
		at     time.Duration
		hit    bool
		want   time.Duration
	}{
		{"a", 0, false, 0},
		{"a", 0, true, 0},
		{"a", 20 * time.Second, true, 0},
		{"a", 30 * time.Second, true, 30 * time.Second},
		{"a", 30 * time.Second, false, 30 * time.Second},
		{"b", 30 * time.Second, true, 0},
		{"a", 59 * time.Second, true, time.Second},
		{"a", 61 * time.Second, false, 0},
		{"a", 61 * time.Second, true, 0}, // what was refused did not count
		{"a", 62 * time.Second, true, 18 * time.Second},
		{"a", 81 * time.Second, true, 0},
	} {
		do := th.Check
		if step.hit {
			do = th.Hit
		}
		if wait := waitOf(t, do(t.Context(), step.bucket, rate, start.Add(step.at))); wait != step.want {
			t.Errorf("step %d: wait %v, want %v", i, wait, step.want)
		}
	}
	for range 3 {
		if err := th.Hit(t.Context(), "c", ports.Rate{}, start); err != nil {
			t.Errorf("no limit: %v", err)
		}
	}
	if err := th.DeleteExpired(t.Context(), start.Add(2*time.Hour)); err != nil {
		t.Error(err)
	}
	if err := th.Check(t.Context(), "a", rate, start.Add(81*time.Second)); err != nil {
		t.Errorf("after forgetting: %v", err)
	}
}

// However many come at once, no more than the rate get through.
func TestThrottleAtOnce(t *testing.T) {
	t.Parallel()
	th := throttle(t)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var through atomic.Int64
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			if waitOf(t, th.Hit(t.Context(), "a", ports.Rate{Count: 20, Period: time.Minute}, now)) == 0 {
				through.Add(1)
			}
		})
	}
	wg.Wait()
	if through.Load() != 20 {
		t.Errorf("%d got through, want 20", through.Load())
	}
}
