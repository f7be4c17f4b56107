package jobs

import (
	"context"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"meetd/app/recordings"
)

func (o outbox) CollectMetadata(ctx context.Context, recording uuid.UUID) error {
	return o.note(ctx, collectMetadataArgs{Recording: recording}, showAttempts)
}

type collectMetadataArgs struct {
	Recording uuid.UUID `json:"recording"`
}

func (collectMetadataArgs) Kind() string { return "collect_metadata" }

type collectMetadata struct {
	river.WorkerDefaults[collectMetadataArgs]
	svc *recordings.Service
}

func (w *collectMetadata) Work(ctx context.Context, job *river.Job[collectMetadataArgs]) error {
	return w.svc.Collect(ctx, job.Args.Recording)
}
