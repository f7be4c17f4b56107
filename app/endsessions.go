package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"meetd/adapters/postgres"
	"meetd/app/accounts"
	"meetd/domain/fault"
)

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
	switch {
	case errors.Is(err, fault.NotFound):
		return 0, fmt.Errorf("no account has the id, subject or e-mail %q", who)
	case errors.Is(err, fault.Conflict):
		return 0, fmt.Errorf("several accounts share the e-mail %q: name one by its id or subject", who)
	}
	return n, err
}
