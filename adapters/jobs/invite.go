package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"meetd/app/rooms"
	"meetd/ports"
)

// inviteAttempts are about an hour of River's back-off, after which an invitation
// is too old.
const inviteAttempts = 7

func (o *outbox) Invite(_ context.Context, i ports.Invitation) error {
	return o.note(inviteArgs(i), inviteAttempts)
}

type inviteArgs struct {
	To       []string  `json:"to"`
	Language string    `json:"language"`
	Sender   string    `json:"sender"`
	Slug     string    `json:"slug"`
	At       time.Time `json:"at,omitzero"` // zero: when the job was noted
}

func (inviteArgs) Kind() string { return "invite" }

func (inviteArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: mailQueue} }

type invite struct {
	river.WorkerDefaults[inviteArgs]
	svc *rooms.Service
}

// Work gives up at once what the mail server will never take, and what is too old.
func (w *invite) Work(ctx context.Context, job *river.Job[inviteArgs]) error {
	if job.Args.At.IsZero() {
		job.Args.At = job.CreatedAt
	}
	return unlessHopeless(w.svc.SendInvitation(ctx, ports.Invitation(job.Args)))
}
