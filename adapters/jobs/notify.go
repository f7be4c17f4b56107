package jobs

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"meetd/app/recordings"
	"meetd/domain/fault"
)

// noticeAttempts are about three days of River's back-off: a mail server or a
// summary service may be away over a weekend.
const noticeAttempts = 17

func (o *outbox) NotifyOf(_ context.Context, recordings ...uuid.UUID) error {
	return o.note(notifyArgs{Recordings: recordings}, noticeAttempts)
}

func (o *outbox) MailOwner(_ context.Context, recording, owner uuid.UUID) error {
	return o.note(mailOwnerArgs{Recording: recording, Owner: owner}, noticeAttempts)
}

func (o *outbox) Summarize(_ context.Context, recording uuid.UUID) error {
	return o.note(summarizeArgs{Recording: recording}, noticeAttempts)
}

type notifyArgs struct {
	Recordings []uuid.UUID `json:"recordings"`
}

func (notifyArgs) Kind() string { return "notify_of_recordings" }

type notify struct {
	river.WorkerDefaults[notifyArgs]
	svc *recordings.Service
}

func (w *notify) Work(ctx context.Context, job *river.Job[notifyArgs]) error {
	return w.svc.Notify(ctx, job.Args.Recordings)
}

type mailOwnerArgs struct {
	Recording uuid.UUID `json:"recording"`
	Owner     uuid.UUID `json:"owner"`
}

func (mailOwnerArgs) Kind() string { return "mail_owner" }

func (mailOwnerArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: mailQueue} }

type mailOwner struct {
	river.WorkerDefaults[mailOwnerArgs]
	svc *recordings.Service
}

func (w *mailOwner) Work(ctx context.Context, job *river.Job[mailOwnerArgs]) error {
	return unlessHopeless(w.svc.MailOwner(ctx, job.Args.Recording, job.Args.Owner))
}

type summarizeArgs struct {
	Recording uuid.UUID `json:"recording"`
}

func (summarizeArgs) Kind() string { return "summarize" }

func (summarizeArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: serviceQueue} }

type summarize struct {
	river.WorkerDefaults[summarizeArgs]
	svc *recordings.Service
}

// Timeout leaves time for the service, which may take half a minute, and for
// LiveKit.
func (w *summarize) Timeout(*river.Job[summarizeArgs]) time.Duration { return 2 * time.Minute }

func (w *summarize) Work(ctx context.Context, job *river.Job[summarizeArgs]) error {
	return unlessHopeless(w.svc.Summarize(ctx, job.Args.Recording))
}

// unlessHopeless gives up at once what will never work.
func unlessHopeless(err error) error {
	if errors.Is(err, fault.Invalid) {
		return river.JobCancel(err)
	}
	return err
}
