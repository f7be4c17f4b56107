package ports

import (
	"context"
	"time"

	"github.com/google/uuid"
)

// Notice is one thing to be told about a saved recording.
type Notice struct {
	Recording uuid.UUID
	Kind      NoticeKind
	Recipient uuid.UUID // the account; uuid.Nil for the summary service
}

// NoticeKind is the way in which something is told.
type NoticeKind string

// The kinds of notices, as stored.
const (
	MailNotice    NoticeKind = "mail"
	SummaryNotice NoticeKind = "summary"
)

// Notices keeps who is still to be told about a recording.
type Notices interface {
	// Add notes things to be told and gives those that are new; one that is there
	// already stays as it is.
	Add(ctx context.Context, now time.Time, notices ...Notice) (fresh []Notice, err error)
	// Reopen notes things to be told from now on, those again that were told before.
	Reopen(ctx context.Context, now time.Time, notices ...Notice) error
	// Open gives since when this is to be told. fault.NotFound when it is not, or
	// not any more.
	Open(ctx context.Context, n Notice) (since time.Time, err error)
	// Done notes that it was told, and how much is left for the recording.
	Done(ctx context.Context, n Notice, now time.Time) (left int, err error)
}
