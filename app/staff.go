package app

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/adapters/password"
	"meetd/adapters/postgres"
	"meetd/app/staff"
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
		Store:     &postgres.Store{Pool: pool},
		Passwords: password.Hasher{}, Language: c.Users.LanguageCode, Now: now, NewID: uuid.New,
	}
	return svc.CreateSuperuser(ctx, email, plain)
}
