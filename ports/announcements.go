package ports

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"math"
	"time"

	"github.com/google/uuid"

	"meetd/domain/fault"
)

// AnnouncementType is what others are told that happened.
type AnnouncementType string

// The types of announcements, as stored and as told (docs/events.md).
const (
	RecordingSaved   AnnouncementType = "recording.saved"
	RecordingFailed  AnnouncementType = "recording.failed"
	RecordingDeleted AnnouncementType = "recording.deleted"
)

// Announcement is one thing that other programs are told.
type Announcement struct {
	Event     uuid.UUID // same for every try to tell it
	Type      AnnouncementType
	Recording uuid.UUID
	Body      []byte // JSON, as it is sent
}

// Cursor is a place in the order of the announcements; zero is before the first.
type Cursor struct {
	Transaction int64
	ID          int64
}

const cursorSize = 16

// String writes the cursor as clients keep it.
func (c Cursor) String() string {
	var b [cursorSize]byte
	binary.BigEndian.PutUint64(b[:8], uint64(c.Transaction)) //nolint:gosec // read back the same way
	binary.BigEndian.PutUint64(b[8:], uint64(c.ID))          //nolint:gosec // likewise
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ParseCursor reads what String wrote; nothing is before the first. fault.Invalid
// for anything else.
func ParseCursor(text string) (Cursor, error) {
	if text == "" {
		return Cursor{}, nil
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != cursorSize {
		return Cursor{}, fault.New(fault.Invalid, "cursor")
	}
	transaction, id := binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])
	c := Cursor{int64(transaction), int64(id)}                                   //nolint:gosec // checked by what follows
	if transaction > math.MaxInt64 || id > math.MaxInt64 || c.String() != text { // line breaks inside are passed over
		return Cursor{}, fault.New(fault.Invalid, "cursor")
	}
	return c, nil
}

// Announcements keeps what other programs are told, so that it can be told again.
type Announcements interface {
	// Add writes announcements down, in their order.
	Add(ctx context.Context, at time.Time, list ...Announcement) error
	// Body gives what is sent for an event; fault.NotFound when it is forgotten.
	Body(ctx context.Context, event uuid.UUID) ([]byte, error)
	// After lists the bodies of up to limit announcements behind a cursor, in their
	// order, and gives the cursor of the last. What is committed later comes later,
	// always: while something may still come before an announcement it is not
	// listed. fault.Invalid for a cursor that this database cannot have given.
	After(ctx context.Context, after Cursor, limit int) ([][]byte, Cursor, error)
	// Adopt puts what came with a dump from another server before everything new.
	Adopt(ctx context.Context) error
	// DeleteOld forgets what was announced before a time and tells how much.
	DeleteOld(ctx context.Context, before time.Time) (int64, error)
}

// Webhooks calls the programs that want to be told.
type Webhooks interface {
	// Send tells a target about an event, with the time of this try. fault.Invalid
	// when the target is none of ours any more or wants no more of it;
	// fault.Upstream when it has to be tried again.
	Send(ctx context.Context, target string, event uuid.UUID, body []byte) error
}
