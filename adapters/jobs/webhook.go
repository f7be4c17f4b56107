package jobs

import (
	"context"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"meetd/app/outgoing"
)

const (
	// deliverAttempts are about six days of River's back-off: a receiver may be away
	// over a long weekend, and can read what it missed after that.
	deliverAttempts = 20
	// deliverQueue is a queue of its own, so that a receiver that does not answer
	// keeps no other job waiting.
	deliverQueue = "webhooks"
	// deliverWorkers is how many calls a node has under way at most.
	deliverWorkers = 8
)

func (o *outbox) Deliver(_ context.Context, events ...uuid.UUID) error {
	for _, event := range events {
		for _, target := range o.targets {
			if err := o.note(deliverArgs{Event: event, Target: target}, deliverAttempts); err != nil {
				return err
			}
		}
	}
	return nil
}

type deliverArgs struct {
	Event  uuid.UUID `json:"event"`
	Target string    `json:"target"`
}

func (deliverArgs) Kind() string { return "deliver_event" }

func (deliverArgs) InsertOpts() river.InsertOpts { return river.InsertOpts{Queue: deliverQueue} }

type deliver struct {
	river.WorkerDefaults[deliverArgs]
	svc *outgoing.Service
}

// Work gives up at once on a receiver that wants no more.
func (w *deliver) Work(ctx context.Context, job *river.Job[deliverArgs]) error {
	return unlessHopeless(w.svc.Deliver(ctx, job.Args.Event, job.Args.Target))
}

type purgeAnnouncementsArgs struct{}

func (purgeAnnouncementsArgs) Kind() string { return "purge_announcements" }

type purgeAnnouncements struct {
	river.WorkerDefaults[purgeAnnouncementsArgs]
	svc *outgoing.Service
}

func (w *purgeAnnouncements) Work(ctx context.Context, _ *river.Job[purgeAnnouncementsArgs]) error {
	return w.svc.Purge(ctx)
}
