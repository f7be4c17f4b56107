package lobby

import (
	"crypto/sha256"
	"time"

	"github.com/google/uuid"
)

// Status is what was decided about somebody, exactly as on the wire.
type Status string

// The states of an entry.
const (
	Waiting  Status = "waiting"
	Accepted Status = "accepted"
	Denied   Status = "denied"
)

// MaxSecret is the longest secret a guest may bring, in bytes.
const MaxSecret = 256

// Entry is somebody who asked to be let into a room.
type Entry struct {
	Room        uuid.UUID
	Participant uuid.UUID // what others see; see Participant
	Identity    string    // the one he has, or will have, in LiveKit
	Status      Status
	Username    string // as he called himself when he came
	Color       string
	Client      string    // where he asked from
	Since       time.Time // when he began to wait
	ExpiresAt   time.Time // then he is forgotten
}

// Lifetimes say how long an entry is remembered without being renewed.
type Lifetimes struct {
	Waiting  time.Duration // LOBBY_WAITING_TIMEOUT; each poll renews it
	Denied   time.Duration // LOBBY_DENIED_TIMEOUT
	Accepted time.Duration // LOBBY_ACCEPTED_TIMEOUT
}

// Of is the lifetime of an entry with this status.
func (l Lifetimes) Of(s Status) time.Duration {
	switch s {
	case Accepted:
		return l.Accepted
	case Denied:
		return l.Denied
	case Waiting:
	}
	return l.Waiting
}

// Participant is the id by which others know the guest who keeps a secret. The
// secret does not follow from it, so that who has seen the id cannot pass for
// the guest. One guest has the same id in all rooms.
func Participant(secret string) uuid.UUID {
	sum := sha256.Sum256([]byte("meetd lobby participant\n" + secret))
	return uuid.UUID(sum[:16])
}

// The room is told that somebody waits when he comes, but no more than once in
// NoticePause; and again every NoticePeriod while he waits, so that an owner who
// joins later learns of it.
const (
	NoticePause  = time.Second
	NoticePeriod = 10 * time.Second
)

// NoticeDue reports whether the room is to be told of e, which waits. told is
// when it was told last, of whomever; long ago: never. A notice covers everybody
// who waited when it was sent.
func (e Entry) NoticeDue(told, now time.Time) bool {
	pause := NoticePeriod
	if told.Before(e.Since) {
		pause = NoticePause
	}
	return now.Sub(told) >= pause
}
