package ports

import (
	"context"
	"time"
)

// Invitation asks people into a meeting that is under way (integrations.md §1).
type Invitation struct {
	To       []string  // addresses, which do not see each other
	Language string    // code, e.g. fr-fr
	Sender   string    // e-mail of who invites
	Slug     string    // of the room
	At       time.Time // when it was asked for
}

// RecordingReady tells an owner that a recording can be downloaded
// (integrations.md §1).
type RecordingReady struct {
	To             string    // address
	Language       string    // code, e.g. fr-fr
	Room           string    // name
	At             time.Time // when the recording began, in the owner's zone
	Link           string    // to the page of the recording
	ExpirationDays int       // how long the file stays; 0: for ever
}

// Mailer sends mail.
type Mailer interface {
	// Invite sends one message to all addresses, or to none. fault.Invalid when
	// the server will not take it for them: it refuses the message or an address
	// for good, or one of several addresses for now. fault.Upstream when it may
	// work later.
	Invite(ctx context.Context, i Invitation) error
	// RecordingReady sends one message. Its faults are those of Invite; To
	// must not be empty.
	RecordingReady(ctx context.Context, r RecordingReady) error
}
