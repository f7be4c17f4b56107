package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"meetd/app/files"
)

// pendingAge is how old an upload that never ended may be (admin.md §4).
const pendingAge = 24 * time.Hour

func (o *outbox) DeleteFile(_ context.Context, id uuid.UUID) error {
	return o.note(deleteFileArgs{File: id}, clearAttempts)
}

type deleteFileArgs struct {
	File uuid.UUID `json:"file"`
}

func (deleteFileArgs) Kind() string { return "delete_file" }

// InsertOpts keeps a file that waits to be deleted from being noted every day anew.
func (deleteFileArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: notDone}}
}

type deleteFile struct {
	river.WorkerDefaults[deleteFileArgs]
	svc *files.Service
}

func (w *deleteFile) Work(ctx context.Context, job *river.Job[deleteFileArgs]) error {
	return w.svc.Delete(ctx, job.Args.File)
}

type purgeFilesArgs struct{}

func (purgeFilesArgs) Kind() string { return "purge_files" }

// purgeFiles is what the commands clean-pending-files and purge-deleted-files do.
type purgeFiles struct {
	river.WorkerDefaults[purgeFilesArgs]
	svc *files.Service
}

// Timeout leaves time for many objects.
func (w *purgeFiles) Timeout(*river.Job[purgeFilesArgs]) time.Duration { return 50 * time.Minute }

func (w *purgeFiles) Work(ctx context.Context, _ *river.Job[purgeFilesArgs]) error {
	_, pending := w.svc.CleanPending(ctx, pendingAge)
	_, trash := w.svc.Purge(ctx) // notes jobs for what the store has just not deleted
	return errors.Join(pending, trash)
}
