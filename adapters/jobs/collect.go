package jobs

import (
	"context"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"meetd/app/recordings"
)

func (o *outbox) CollectMetadata(_ context.Context, recording uuid.UUID) error {
	return o.note(collectMetadataArgs{Recording: recording}, showAttempts)
}

func (o *outbox) AnnounceLimit(_ context.Context, recording uuid.UUID) error {
	return o.note(announceLimitArgs{Recording: recording}, showAttempts)
}

type announceLimitArgs struct {
	Recording uuid.UUID `json:"recording"`
}

func (announceLimitArgs) Kind() string { return "announce_limit" }

type announceLimit struct {
	river.WorkerDefaults[announceLimitArgs]
	svc *recordings.Service
}

func (w *announceLimit) Work(ctx context.Context, job *river.Job[announceLimitArgs]) error {
	return w.svc.AnnounceLimit(ctx, job.Args.Recording)
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
