package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"meetd/app/recordings"
)

// stopAttempts are about four hours of River's back-off: as long as an egress
// that nobody wants may go on.
const stopAttempts = 10

func (o *outbox) StopEgress(_ context.Context, worker string) error {
	return o.note(stopEgressArgs{Worker: worker}, stopAttempts)
}

type stopEgressArgs struct {
	Worker string `json:"worker"`
}

func (stopEgressArgs) Kind() string { return "stop_egress" }

type stopEgress struct {
	river.WorkerDefaults[stopEgressArgs]
	svc *recordings.Service
}

func (w *stopEgress) Work(ctx context.Context, job *river.Job[stopEgressArgs]) error {
	return w.svc.StopEgress(ctx, job.Args.Worker)
}
