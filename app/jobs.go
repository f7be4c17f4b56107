package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"meetd/adapters/jobs"
	"meetd/domain/fault"
)

// JobOptions say which jobs are listed.
type JobOptions struct {
	State string // empty: those that were given up or wait for another try; all: any
	Kind  string // empty: all
	Limit int
}

// Check explains what is wrong with the options.
func (o JobOptions) Check() error {
	if states := jobs.States(); o.State != "" && o.State != jobs.AllStates && !slices.Contains(states, o.State) {
		return fmt.Errorf("--state: there is no state %s; use one of %s, %s", quote(o.State), strings.Join(states, ", "), jobs.AllStates)
	}
	if o.Limit < 1 || o.Limit > jobs.MostListed {
		return fmt.Errorf("--limit: %d is out of range; use a number from 1 to %d", o.Limit, jobs.MostListed)
	}
	return nil
}

// ListJobs writes what jobs there are, the newest first. The options must have
// been checked.
func ListJobs(ctx context.Context, c *Config, o JobOptions, w io.Writer) error {
	return withJobs(ctx, c, func(a *jobs.Admin) error {
		list, err := a.List(ctx, o.State, o.Kind, o.Limit)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		_, err = fmt.Fprintln(table, "ID\tKIND\tSTATE\tATTEMPTS\tNEXT\tSUBJECT\tLAST ERROR")
		for _, j := range list {
			next := "-"
			if !j.Next.IsZero() {
				next = j.Next.UTC().Format(time.RFC3339)
			}
			_, rowErr := fmt.Fprintf(table, "%d\t%s\t%s\t%d/%d\t%s\t%s\t%s\n", j.ID, j.Kind, j.State, j.Attempt, j.MaxAttempts, next, j.Subject, j.Failure)
			err = errors.Join(err, rowErr)
		}
		return errors.Join(err, table.Flush())
	})
}

// RetryJobs has jobs done again, at once: those with these ids, or those of a kind
// that were given up or wait for another try. It writes what became of each.
func RetryJobs(ctx context.Context, c *Config, kind string, ids []int64, w io.Writer) error {
	return withJobs(ctx, c, func(a *jobs.Admin) error {
		if kind != "" {
			var err error
			if ids, err = a.Unsettled(ctx, kind); err != nil {
				return err
			}
			if len(ids) == 0 {
				return fmt.Errorf("no job of the kind %s was given up or waits for another try", quote(kind))
			}
		}
		return eachJob(ctx, ids, a.Retry, w)
	})
}

// CancelJobs gives jobs up, and writes what became of each.
func CancelJobs(ctx context.Context, c *Config, ids []int64, w io.Writer) error {
	return withJobs(ctx, c, func(a *jobs.Admin) error { return eachJob(ctx, ids, a.Cancel, w) })
}

// eachJob does something to jobs; what cannot be done to one is done to the others.
func eachJob(ctx context.Context, ids []int64, do func(context.Context, int64) (string, error), w io.Writer) error {
	var errs []error
	for _, id := range ids {
		state, err := do(ctx, id)
		switch {
		case errors.Is(err, fault.NotFound):
			err = fmt.Errorf("there is no job %d", id)
		case errors.Is(err, fault.Conflict):
			err = fmt.Errorf("job %d: another one waits to do the same", id)
		case err == nil:
			_, err = fmt.Fprintf(w, "%d is %s\n", id, state)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func withJobs(ctx context.Context, c *Config, do func(*jobs.Admin) error) error {
	pool, err := openPool(ctx, c.Database)
	if err != nil {
		return err
	}
	defer pool.Close()
	admin, err := jobs.NewAdmin(pool)
	if err != nil {
		return err
	}
	return do(admin)
}
