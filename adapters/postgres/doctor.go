package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"meetd/adapters/postgres/internal/db"
	"meetd/ports"
)

// Examined is the database as meetd doctor looks at it.
type Examined struct{ Pool *pgxpool.Pool }

// Clock is what time the database has.
func (e Examined) Clock(ctx context.Context) (time.Time, error) {
	at, err := q.Clock(ctx, e.Pool)
	return at, translate(err, "clock")
}

// Heard reports whether LiveKit told us of the end of a room.
func (e Examined) Heard(ctx context.Context, room string) (bool, error) {
	heard, err := q.EventHeard(ctx, e.Pool, db.EventHeardParams{Source: string(ports.FromLiveKit), Subject: room})
	return heard, translate(err, "event")
}
