package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/recording"
)

// Jobs notes work to be done after the transaction commits. It is done at least
// once and again after a failure.
type Jobs interface { //nolint:interfacebloat // all that a transaction can ask for
	// ShowRecording tells the participants of the room how far its recording is.
	ShowRecording(ctx context.Context, room uuid.UUID) error
	// StopEgress ends the egress of a recording that is gone.
	StopEgress(ctx context.Context, worker string) error
	// DeleteObjects clears away what is left of a recording that was deleted.
	DeleteObjects(ctx context.Context, left recording.Remains) error
	// DeleteFile clears away what is left of a file that is deleted for good.
	DeleteFile(ctx context.Context, id uuid.UUID) error
	// ShowRoom tells the participants of the room its access level and
	// configuration.
	ShowRoom(ctx context.Context, room uuid.UUID) error
	// CloseRoom sends everybody out of a room that is deleted.
	CloseRoom(ctx context.Context, room uuid.UUID) error
	// OpenDialIn lets telephones and room kits into a room that was opened.
	OpenDialIn(ctx context.Context, room uuid.UUID) error
	// CloseDialIn ends that; opened is LiveKit's id of the room that closed.
	CloseDialIn(ctx context.Context, room uuid.UUID, opened string) error
	// CollectMetadata sends for the agent of a recording that runs, or recalls
	// that of one that is over.
	CollectMetadata(ctx context.Context, recording uuid.UUID) error
	// AnnounceLimit tells the participants that their recording reached the
	// longest that it may be.
	AnnounceLimit(ctx context.Context, recording uuid.UUID) error
	// NotifyOf has everybody told that recordings are saved.
	NotifyOf(ctx context.Context, recordings ...uuid.UUID) error
	// MailOwner writes to an owner that a recording is ready.
	MailOwner(ctx context.Context, recording, owner uuid.UUID) error
	// Summarize hands a recording to the summary service.
	Summarize(ctx context.Context, recording uuid.UUID) error
	// Deliver sends what was announced to everybody who wants to be called, and
	// keeps trying for days.
	Deliver(ctx context.Context, events ...uuid.UUID) error
	// CloseTest closes the room of a connection test, at a time.
	CloseTest(ctx context.Context, room string, at time.Time) error
	// SignUpForMarketing tells the marketing service about a new account. If that
	// service does not work for hours, it is given up.
	SignUpForMarketing(ctx context.Context, account uuid.UUID) error
	// Invite sends an invitation, and gives up after some hours.
	Invite(ctx context.Context, i Invitation) error
}
