package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"meetd/ports/discreet"
)

// Failure is an attempt at a job that failed.
type Failure struct {
	ID      int64
	Kind    string
	Attempt int
	GivenUp bool // it is not tried again
	Err     error
	Stack   string // where it panicked; empty: it did not
}

// failures logs what went wrong, which the queue itself keeps to its table.
type failures struct {
	log  *slog.Logger
	tell func(context.Context, Failure)
}

var _ river.ErrorHandler = (*failures)(nil)

// HandleError notes an attempt that failed; the job stays as it is.
func (f *failures) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	var cancel *river.JobCancelError
	f.note(ctx, Failure{
		ID: job.ID, Kind: job.Kind, Attempt: job.Attempt, Err: err,
		GivenUp: job.Attempt >= job.MaxAttempts || errors.As(err, &cancel),
	})
	return nil
}

// HandlePanic notes a panic; the job stays as it is.
func (f *failures) HandlePanic(ctx context.Context, job *rivertype.JobRow, value any, trace string) *river.ErrorHandlerResult {
	f.note(ctx, Failure{
		ID: job.ID, Kind: job.Kind, Attempt: job.Attempt, Err: fmt.Errorf("panic: %v", value), Stack: trace,
		GivenUp: job.Attempt >= job.MaxAttempts,
	})
	return nil
}

func (f *failures) note(ctx context.Context, x Failure) {
	level, message := slog.LevelWarn, "a job failed and is tried again"
	if x.GivenUp {
		level, message = slog.LevelError, "a job was given up"
	}
	attrs := []slog.Attr{
		slog.String("kind", x.Kind), slog.Int64("job", x.ID), slog.Int("attempt", x.Attempt), slog.String("error", discreet.Text(x.Err.Error())),
	}
	if x.Stack != "" {
		level = slog.LevelError
		attrs = append(attrs, slog.String("stack", x.Stack))
	}
	f.log.LogAttrs(ctx, level, message, attrs...)
	if f.tell != nil {
		f.tell(ctx, x)
	}
}
