package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"meetd/adapters/jobs"
	"meetd/adapters/postgres"
	"meetd/adapters/s3"
	"meetd/app/accounts"
	"meetd/app/merge"
	"meetd/domain/fault"
	"meetd/domain/user"
	"meetd/ports"
)

// MergeOptions say which accounts to merge and whether to do it.
type MergeOptions struct {
	EmailFilter string // only addresses that contain it; empty: all
	Keep        string // newest or oldest
	Exact       bool   // tell addresses apart that differ in the case of letters
	DryRun      bool   // only tell what would be done
	Report      bool   // only tell what should be known before
}

// Valid reports whether the options can be used.
func (o MergeOptions) Valid() bool { return user.Keep(o.Keep).Valid() }

// MergeAccounts merges accounts with the same e-mail, or tells what that would do.
func MergeAccounts(ctx context.Context, c *Config, o MergeOptions, now func() time.Time, stdout, stderr io.Writer) error {
	scope := ports.MergeScope{EmailFilter: o.EmailFilter, Exact: o.Exact, Keep: user.Keep(o.Keep)}
	return withMerges(ctx, c, now, func(s *merge.Service) error {
		switch {
		case o.Report:
			return s.Report(ctx, scope, stdout)
		case o.DryRun:
			return s.DryRun(ctx, scope, stdout)
		}
		return s.Merge(ctx, scope, stdout, stderr)
	})
}

// UnmergeAccounts undoes a merge.
func UnmergeAccounts(ctx context.Context, c *Config, journal int64, now func() time.Time, stdout, stderr io.Writer) error {
	return withMerges(ctx, c, now, func(s *merge.Service) error { return s.Undo(ctx, journal, stdout, stderr) })
}

func withMerges(ctx context.Context, c *Config, now func() time.Time, do func(*merge.Service) error) error {
	pool, err := openPool(ctx, c.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	store := &postgres.Store{Pool: pool}
	return do(&merge.Service{Accounts: postgres.Merges{Pool: pool}, Audit: store.Repos().Audit, Now: now})
}

// withStore reaches the database and the bucket for a command. Jobs are noted, for
// the service to work on.
func withStore(ctx context.Context, c *Config, now func() time.Time, do func(*postgres.Store, *s3.Bucket) error) error {
	pool, err := openPool(ctx, c.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	bucket, err := commandBucket(ctx, c.S3, now)
	if err != nil {
		return err
	}
	_, targets, err := newWebhooks(c.Outgoing, nil, now)
	if err != nil {
		return err
	}
	queue, err := jobs.New(pool, jobs.Config{Reconcile: c.Recording.ReconcilePeriod, Targets: targets}, jobs.Services{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return do(&postgres.Store{Pool: pool, Outbox: queue.Outbox}, bucket)
}

// EndSessions ends all sessions of the account with this id, subject or e-mail
// and tells how many there were.
func EndSessions(ctx context.Context, c *Config, who string, now func() time.Time) (int64, error) {
	pool, err := openPool(ctx, c.Database)
	if err != nil {
		return 0, err
	}
	defer pool.Close()
	svc := &accounts.Service{Store: &postgres.Store{Pool: pool}, Now: now}
	n, err := svc.EndSessions(ctx, who)
	return n, whoFault(err, who)
}

// whoFault explains which account could not be found.
func whoFault(err error, who string) error {
	var f *fault.Error
	switch {
	case errors.Is(err, fault.NotFound):
		return fmt.Errorf("no account has the id, subject or e-mail %q", who)
	case errors.As(err, &f) && f.Code == "user_ambiguous":
		return fmt.Errorf("%q is the subject of one account, and the e-mail or id of another: name the one you mean in another way", who)
	case errors.Is(err, fault.Conflict):
		return fmt.Errorf("several accounts share the e-mail %q: name one by its id or subject", who)
	}
	return err
}
