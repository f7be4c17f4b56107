package jobs

import (
	"context"

	"github.com/google/uuid"
	"github.com/riverqueue/river"

	"meetd/app/dialin"
	"meetd/app/rooms"
)

// dialInAttempts are about four hours of River's back-off: a rule that stays is
// a door that stays open, and so is a room.
const dialInAttempts = 10

func (o *outbox) OpenDialIn(_ context.Context, room uuid.UUID) error {
	return o.note(openDialInArgs{Room: room}, dialInAttempts)
}

func (o *outbox) CloseDialIn(_ context.Context, room uuid.UUID, opened string) error {
	return o.note(closeDialInArgs{Room: room, Opened: opened}, dialInAttempts)
}

type openDialInArgs struct {
	Room uuid.UUID `json:"room"`
}

func (openDialInArgs) Kind() string { return "open_dial_in" }

type openDialIn struct {
	river.WorkerDefaults[openDialInArgs]
	svc *dialin.Service
}

func (w *openDialIn) Work(ctx context.Context, job *river.Job[openDialInArgs]) error {
	return w.svc.Open(ctx, job.Args.Room)
}

type closeDialInArgs struct {
	Room   uuid.UUID `json:"room"`
	Opened string    `json:"opened"` // LiveKit's id of the room that closed
}

func (closeDialInArgs) Kind() string { return "close_dial_in" }

type closeDialIn struct {
	river.WorkerDefaults[closeDialInArgs]
	svc *dialin.Service
}

func (w *closeDialIn) Work(ctx context.Context, job *river.Job[closeDialInArgs]) error {
	return w.svc.Close(ctx, job.Args.Room, job.Args.Opened)
}

func (o *outbox) CloseRoom(_ context.Context, room uuid.UUID) error {
	return o.note(closeRoomArgs{Room: room}, dialInAttempts)
}

type closeRoomArgs struct {
	Room uuid.UUID `json:"room"`
}

func (closeRoomArgs) Kind() string { return "close_room" }

type closeRoom struct {
	river.WorkerDefaults[closeRoomArgs]
	svc *rooms.Service
}

func (w *closeRoom) Work(ctx context.Context, job *river.Job[closeRoomArgs]) error {
	return w.svc.Close(ctx, job.Args.Room)
}
