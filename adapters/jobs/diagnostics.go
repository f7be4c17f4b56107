package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"meetd/app/diagnostics"
)

func (o *outbox) CloseTest(_ context.Context, room string, at time.Time) error {
	return o.noteWith(closeTestArgs{Room: room}, river.InsertOpts{MaxAttempts: showAttempts, ScheduledAt: at})
}

type closeTestArgs struct {
	Room string `json:"room"`
}

func (closeTestArgs) Kind() string { return "close_test" }

type closeTest struct {
	river.WorkerDefaults[closeTestArgs]
	svc *diagnostics.Service
}

// Work gives up at once on a room that is no test's.
func (w *closeTest) Work(ctx context.Context, job *river.Job[closeTestArgs]) error {
	return unlessHopeless(w.svc.Close(ctx, job.Args.Room))
}
