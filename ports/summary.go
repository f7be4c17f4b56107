package ports

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// SummaryOwner is the person for whom it is written down what was said.
type SummaryOwner struct {
	ID       uuid.UUID
	Sub      string // of the identity provider; may be empty
	Email    string // may be empty
	Language string // code, e.g. fr-fr; may be empty
	Timezone string // name, e.g. Europe/Paris
}

// SummaryRequest is a recording and all that is told about it (recording.md §5).
type SummaryRequest struct {
	Recording   uuid.UUID
	Since       time.Time // when it was asked for; later for one that is to be handed in once more
	Key         string    // of the recording's object
	URL         string    // to read that object with, signed
	MetadataKey string    // of the object that says who spoke when; empty: none is expected
	MetadataURL string    // to read that object with, signed; empty: none is expected

	Owner    SummaryOwner
	RoomID   uuid.UUID
	RoomName string

	Language     string // asked for when the recording began; empty: none was
	DownloadLink string // to the page of the recording
	StartedAt    time.Time
	EndedAt      time.Time // either is zero when it is not known
	WantsSummary bool      // and not only what was said
}

// Summary is the service that writes down what was said.
type Summary interface {
	// Submit hands a recording in. job is empty when the service names none
	// (version 1). fault.Upstream when it may work later, fault.Invalid when it
	// never will. No error holds an address, a link or a secret.
	Submit(ctx context.Context, r SummaryRequest) (job string, err error)
}
