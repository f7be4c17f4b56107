package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// State is what operators want to know about all nodes together.
type State struct {
	Recordings map[string]int // those without an end, by status
	Jobs       []JobCount
	Due        time.Duration // how long the job that should have run first waits; zero: none does
}

// JobCount is how many jobs of a kind are in a state.
type JobCount struct {
	Kind, State string
	Count       int
}

// mostJobsCounted bounds the jobs that are looked at in each state.
const mostJobsCounted = 10_000

// jobCounts looks at the queue's own table, which is not among those that sqlc
// knows. Jobs that are done are many and say nothing. Each state is written out,
// so that PostgreSQL knows how few jobs are in it: for one that it does not know
// beforehand it would read the whole table.
var jobCounts = func() string {
	var states []string
	for _, state := range []string{"available", "pending", "running", "retryable", "scheduled", "cancelled", "discarded"} {
		states = append(states, "(SELECT state, kind, scheduled_at FROM meetd.river_job WHERE state = '"+state+"' LIMIT $1)")
	}
	return "-- name: JobCounts :many\n" +
		"SELECT state::text, kind, count(*), coalesce(min(scheduled_at) FILTER (WHERE state = 'available'), 'infinity')\n" +
		"FROM (" + strings.Join(states, " UNION ALL ") + ") j GROUP BY 1, 2"
}()

// State counts by indexes only, however much there is.
func (s *Store) State(ctx context.Context, now time.Time) (State, error) {
	out := State{Recordings: map[string]int{"initiated": 0, "active": 0, "stopped": 0}}
	rows, err := q.RecordingsOpenByStatus(ctx, s.Pool)
	if err != nil {
		return out, translate(err, "recordings")
	}
	for _, row := range rows {
		out.Recordings[row.Status] = int(row.Number)
	}
	counts, err := s.Pool.Query(ctx, jobCounts, mostJobsCounted)
	if err != nil {
		return out, translate(err, "jobs")
	}
	var job JobCount
	var due pgtype.Timestamptz
	_, err = pgx.ForEachRow(counts, []any{&job.State, &job.Kind, &job.Count, &due}, func() error {
		out.Jobs = append(out.Jobs, job)
		if due.InfinityModifier == pgtype.Finite {
			out.Due = max(out.Due, now.Sub(due.Time))
		}
		return nil
	})
	return out, translate(err, "jobs")
}
