package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/postgres/internal/db"
)

// CreateDemo makes a hundred accounts to try the service with, each in one of the
// languages (database.md §6). fault.Conflict when they are there already.
func CreateDemo(ctx context.Context, pool *pgxpool.Pool, languages []string, at time.Time) error {
	return translate(q.DemoUsersInsert(ctx, pool, db.DemoUsersInsertParams{At: at, Languages: languages}), "user")
}
