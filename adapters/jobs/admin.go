package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"meetd/domain/fault"
	"meetd/ports"
	"meetd/ports/discreet"
)

// Admin looks at jobs and decides what becomes of them. It works on none.
type Admin struct{ client *river.Client[pgx.Tx] }

// NewAdmin looks at the jobs of a database.
func NewAdmin(pool *pgxpool.Pool) (*Admin, error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Schema: Schema, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	return &Admin{client}, nil
}

var _ ports.JobQueue = (*Admin)(nil)

// AllStates asks List for jobs in any state.
const AllStates = "all"

// States are the states of jobs.
func States() []string {
	var out []string
	for _, s := range rivertype.JobStates() {
		out = append(out, string(s))
	}
	return out
}

// unsettled are the states of jobs that were given up or failed and are tried again.
var unsettled = []rivertype.JobState{rivertype.JobStateRetryable, rivertype.JobStateDiscarded, rivertype.JobStateCancelled}

// MostListed is how many jobs List gives at most.
const MostListed = 10_000

// List gives up to limit jobs, the newest first: those in a state, of a kind. An
// empty state stands for what was given up or waits for another try, an empty kind
// for all of them.
func (a *Admin) List(ctx context.Context, state, kind string, limit int) ([]ports.Job, error) {
	rows, err := a.list(ctx, state, kind, limit)
	out := make([]ports.Job, len(rows))
	for i, row := range rows {
		out[i] = ports.Job{
			ID: row.ID, Kind: row.Kind, State: string(row.State), Attempt: row.Attempt, MaxAttempts: row.MaxAttempts,
			Subject: oneLine(string(row.EncodedArgs)),
		}
		if row.FinalizedAt == nil && row.State != rivertype.JobStateRunning {
			out[i].Next = row.ScheduledAt
		}
		if n := len(row.Errors); n > 0 {
			out[i].Failure = oneLine(row.Errors[n-1].Error)
		}
	}
	return out, err
}

func (a *Admin) list(ctx context.Context, state, kind string, limit int) ([]*rivertype.JobRow, error) {
	states := unsettled
	switch state {
	case "":
	case AllStates:
		states = rivertype.JobStates()
	default:
		states = []rivertype.JobState{rivertype.JobState(state)}
	}
	params := river.NewJobListParams().OrderBy(river.JobListOrderByID, river.SortOrderDesc).First(limit).States(states...)
	if kind != "" {
		params = params.Kinds(kind)
	}
	got, err := a.client.JobList(ctx, params)
	if err != nil {
		return nil, fmt.Errorf("list jobs: %w", err)
	}
	return got.Jobs, nil
}

// Retry has a job done again, at once, and gives the state it is in then; one that
// is running stays so. fault.NotFound for an unknown one, fault.Conflict when
// another waits to do the same.
func (a *Admin) Retry(ctx context.Context, id int64) (state string, err error) {
	row, err := a.client.JobRetry(ctx, id)
	return stateOf(row, err)
}

// Unsettled gives the ids of the jobs of a kind that were given up or wait for
// another try, the oldest first.
func (a *Admin) Unsettled(ctx context.Context, kind string) ([]int64, error) {
	rows, err := a.list(ctx, "", kind, MostListed)
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[len(rows)-1-i] = row.ID
	}
	return ids, err
}

// Cancel gives a job up, and gives the state it is in then: one that is running is
// told to stop, one that is over stays as it is. fault.NotFound as in Retry.
func (a *Admin) Cancel(ctx context.Context, id int64) (state string, err error) {
	row, err := a.client.JobCancel(ctx, id)
	return stateOf(row, err)
}

func stateOf(row *rivertype.JobRow, err error) (string, error) {
	var pg *pgconn.PgError
	switch {
	case errors.Is(err, river.ErrNotFound):
		return "", fault.New(fault.NotFound, "job")
	case errors.As(err, &pg) && pg.Code == "23505":
		return "", fault.New(fault.Conflict, "job")
	case err != nil:
		return "", fmt.Errorf("change a job: %w", err)
	}
	return string(row.State), nil
}

// longest is how much is shown of a text, in characters.
const longest = 200

// oneLine makes a text one short line that shows no credentials.
func oneLine(text string) string {
	text = discreet.Text(text)
	text = strings.Join(strings.FieldsFunc(text, func(c rune) bool { return unicode.IsSpace(c) || !unicode.IsPrint(c) }), " ")
	if chars := []rune(text); len(chars) > longest {
		text = string(slices.Concat(chars[:longest], []rune("…")))
	}
	return text
}
