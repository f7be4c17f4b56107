package jobs

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"meetd/app/recordings"
	"meetd/domain/recording"
)

// clearAttempts are about three weeks of River's back-off: what was deleted must
// go, however long the store is away.
const clearAttempts = 25

func (o *outbox) DeleteObjects(_ context.Context, left recording.Remains) error {
	return o.note(deleteObjectsArgs(left), clearAttempts)
}

// deleteObjectsArgs is recording.Remains as stored.
type deleteObjectsArgs struct {
	ID       uuid.UUID      `json:"recording"`
	Room     uuid.UUID      `json:"room"`
	Mode     recording.Mode `json:"mode"`
	WorkerID string         `json:"worker"`
	Agent    string         `json:"agent"`
	Metadata bool           `json:"metadata"`
	Running  bool           `json:"running"`
	At       time.Time      `json:"deleted_at"`
}

func (deleteObjectsArgs) Kind() string { return "delete_objects" }

type deleteObjects struct {
	river.WorkerDefaults[deleteObjectsArgs]
	svc *recordings.Service
}

// Timeout leaves time for a slow store and a slow LiveKit.
func (w *deleteObjects) Timeout(*river.Job[deleteObjectsArgs]) time.Duration { return 3 * time.Minute }

func (w *deleteObjects) Work(ctx context.Context, job *river.Job[deleteObjectsArgs]) error {
	again, err := w.svc.ClearAway(ctx, recording.Remains(job.Args))
	if err == nil && again > 0 {
		return river.JobSnooze(again) // which is no failed attempt
	}
	return err
}

type purgeRecordingsArgs struct{}

func (purgeRecordingsArgs) Kind() string { return "purge_recordings" }

type purgeRecordings struct {
	river.WorkerDefaults[purgeRecordingsArgs]
	svc *recordings.Service
}

// Timeout ends before the next one begins, which goes on with what is left.
func (w *purgeRecordings) Timeout(*river.Job[purgeRecordingsArgs]) time.Duration {
	return 50 * time.Minute
}

func (w *purgeRecordings) Work(ctx context.Context, _ *river.Job[purgeRecordingsArgs]) error {
	return w.svc.Purge(ctx)
}
