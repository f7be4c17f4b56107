package app

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"meetd/adapters/password"
	"meetd/adapters/postgres"
	"meetd/app/staff"
	"meetd/ports"
)

// CreateSuperuser makes a superuser of the administration in the configured
// database. See staff.Service.
func CreateSuperuser(ctx context.Context, c *Config, email, plain string, now func() time.Time) (staff.Result, error) {
	pool, err := openPool(ctx, c.Database)
	if err != nil {
		return staff.Result{}, err
	}
	defer pool.Close()
	svc := &staff.Service{
		Store:     &postgres.Store{Pool: pool, Outbox: func(pgx.Tx) ports.Jobs { return nil }}, // nothing is left for later
		Passwords: password.Hasher{}, Language: c.Users.LanguageCode, Now: now, NewID: uuid.New,
	}
	return svc.CreateSuperuser(ctx, email, plain)
}
