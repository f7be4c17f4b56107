package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/lobby"
)

// Lobby keeps who asked to be let into which room. What has expired is as if it
// was not there. A crash of the database may forget all of it.
type Lobby interface { //nolint:interfacebloat // one repository for one aggregate
	// Get returns fault.NotFound when there is no such entry.
	Get(ctx context.Context, room, participant uuid.UUID, now time.Time) (lobby.Entry, error)
	// Renew is Get for one who asks again: who waits expires at until, and
	// who he now is in LiveKit is written down. Who was accepted as somebody else
	// waits again. told is when the room was last
	// told that somebody waits, long ago if never.
	Renew(ctx context.Context, room, participant uuid.UUID, identity string, now, until time.Time) (e lobby.Entry, told time.Time, err error)
	// Add stores a new entry, in place of one that has expired by its beginning.
	// fault.Conflict when there is one already. told is as in Renew.
	Add(ctx context.Context, e lobby.Entry) (told time.Time, err error)
	// Decide gives an entry another status and time to expire. fault.NotFound as
	// in Get.
	Decide(ctx context.Context, room, participant uuid.UUID, s lobby.Status, now, until time.Time) error
	// Waiting lists who waits, the longest waiting first, at most limit of them. Where
	// there are more, those are left out who are many from one address.
	Waiting(ctx context.Context, room uuid.UUID, now time.Time, limit int) ([]lobby.Entry, error)
	// Told notes that the room is told now, if told is still when it was told
	// last; ok is false when somebody else was faster.
	Told(ctx context.Context, room uuid.UUID, told, now time.Time) (ok bool, err error)
	// Clear forgets everybody who asked for a room.
	Clear(ctx context.Context, room uuid.UUID) error
	// Forget forgets who has this identity in LiveKit: he has to ask again.
	// Nobody is no error.
	Forget(ctx context.Context, room uuid.UUID, participant string) error
	// DeleteExpired forgets what has expired at now, and notices older than that.
	DeleteExpired(ctx context.Context, now time.Time) error
}
