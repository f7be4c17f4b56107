package ports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"meetd/domain/recording"
)

// EventSource is where an event came from.
type EventSource string

// The sources of events.
const (
	FromLiveKit EventSource = "livekit"
	FromStorage EventSource = "storage"
	FromSummary EventSource = "summary"
)

// KeptEvent is an event of another server, written down.
type KeptEvent struct {
	Source  EventSource
	ID      string // same for every delivery of one event
	Subject string // egress id, recording id, room or job
	Payload []byte // JSON
}

// Kept makes an event to be kept. Deliveries of one event share subject and mark,
// which is whatever a stranger sent: its hash can be stored.
func Kept(source EventSource, subject, mark string, said any) (KeptEvent, error) {
	payload, err := json.Marshal(said)
	if err != nil {
		return KeptEvent{}, fmt.Errorf("keep an event: %w", err)
	}
	sum := sha256.Sum256([]byte(mark))
	return KeptEvent{Source: source, ID: subject + "/" + hex.EncodeToString(sum[:16]), Subject: subject, Payload: payload}, nil
}

// Events keeps what other servers said: what was applied as a record of it, and
// what arrived too early until it can be applied.
type Events interface {
	// Keep writes events down as waiting, or as applied; a second delivery changes
	// nothing.
	Keep(ctx context.Context, now time.Time, applied bool, events ...KeptEvent) error
	// First writes an event down as applied and tells whether it is new.
	First(ctx context.Context, now time.Time, event KeptEvent) (bool, error)
	// Waiting locks and lists what is kept for a subject, oldest first.
	Waiting(ctx context.Context, source EventSource, subject string) ([]KeptEvent, error)
	// Subjects lists up to limit subjects that something waits for, received at
	// or after since, the newest first.
	Subjects(ctx context.Context, since time.Time, limit int) ([]KeptEvent, error)
	// Applied notes that e needs no more attention.
	Applied(ctx context.Context, e KeptEvent, now time.Time) error
	// DeleteOld forgets what was received before a time and tells how much.
	DeleteOld(ctx context.Context, before time.Time) (int64, error)
}

// StorageEvent is one record of a storage notification.
type StorageEvent struct {
	Created     bool // an object was written; also when the store does not say what happened
	Bucket      string
	Key         string // decoded name of the object; empty when it is not in the form this store sends
	ContentType string // as told, or guessed from the name
	Sequencer   string // tells two events of one object apart; may be empty
}

// StorageEvents reads the notifications of a kind of object store.
type StorageEvents interface {
	// Parse reads all records of a body. A notification about no object, such as
	// a test, has none. fault.Invalid when it is none of this store's
	// notifications.
	Parse(body []byte) ([]StorageEvent, error)
}

// Egress is what LiveKit says of one egress.
type Egress struct {
	ID        string
	Room      string
	Status    recording.EgressStatus
	Files     []string  // names of the objects it was asked to write
	Elsewhere bool      // the file went to LiveKit's backup storage, not to the bucket
	StartedAt time.Time // of its first file; zero: not told
	EndedAt   time.Time // likewise
}

// ConferenceEvent is a verified webhook of LiveKit.
type ConferenceEvent struct {
	ID     string // same for every delivery
	Name   string // such as egress_ended
	Known  bool   // LiveKit has events of that name
	Room   string // name of the room; empty when the event has none
	Opened string // LiveKit's id of the room, another one each time it is opened
	Egress *Egress
}

// ConferenceEvents verifies LiveKit's webhooks.
type ConferenceEvents interface {
	// Receive checks the Authorization header and the body's hash.
	// fault.Invalid when anything does not fit.
	Receive(authorization string, body []byte) (ConferenceEvent, error)
}
