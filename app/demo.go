package app

import (
	"context"
	"errors"
	"time"

	"meetd/adapters/postgres"
	"meetd/domain/fault"
)

// ErrProduction says that a command would put made-up data beside real one.
var ErrProduction = errors.New("This command is not meant to be used in production environment except you know what you are doing, if so use --force parameter") //nolint:staticcheck // the words of the Django command

// CreateDemo makes accounts to try the service with. ErrProduction unless the
// configuration is for development, or force.
func CreateDemo(ctx context.Context, c *Config, force bool, now func() time.Time) error {
	if !c.Profile.Debug && !force {
		return ErrProduction
	}
	pool, err := openPool(ctx, c.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	languages := make([]string, len(c.Users.Languages))
	for i, l := range c.Users.Languages {
		languages[i] = l.Code
	}
	err = postgres.CreateDemo(ctx, pool, languages, now())
	if errors.Is(err, fault.Conflict) {
		return errors.New("the accounts user0@example.com to user99@example.com, or some of them, are there already")
	}
	return err
}
