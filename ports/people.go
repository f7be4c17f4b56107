package ports

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/user"
)

// PersonRecording is a recording that concerns a person: one on which he has a
// role, or one in a room that was asked about.
type PersonRecording struct {
	ID     uuid.UUID
	Room   uuid.UUID
	Role   access.Role // access.None: none
	Others bool        // somebody else owns it too
}

// Alone reports whether nobody but the person owns it.
func (r PersonRecording) Alone() bool { return r.Role == access.Owner && !r.Others }

// PersonFile is an uploaded file.
type PersonFile struct {
	ID   uuid.UUID
	Name string // that it was uploaded with, or at least its extension
}

// PersonData is all that is stored about a person under one heading.
type PersonData struct {
	Name string
	Rows []json.RawMessage // objects
}

// People finds what is stored about people, and removes it. Inside a transaction
// only.
type People interface {
	// Rooms lists the rooms on which somebody has a role, in the order of their ids.
	Rooms(ctx context.Context, id uuid.UUID) ([]uuid.UUID, error)
	// LockRooms keeps others from changing rooms, who has a role on them, and from
	// recording in them. ids must be in their order.
	LockRooms(ctx context.Context, ids ...uuid.UUID) error
	// Recordings lists the recordings on which somebody has a role himself, and all
	// those in some rooms, in the order of their ids.
	Recordings(ctx context.Context, id uuid.UUID, rooms ...uuid.UUID) ([]PersonRecording, error)
	// Files lists what somebody uploaded.
	Files(ctx context.Context, id uuid.UUID) ([]PersonFile, error)
	// Lock keeps others from changing the account, from giving it anything and from
	// merging it. fault.NotFound for an unknown one.
	Lock(ctx context.Context, id uuid.UUID) error
	// Data reads all that is stored about somebody, but for secrets.
	Data(ctx context.Context, u *user.User) ([]PersonData, error)
	// Erase removes all that is stored about somebody, and the account. It must be
	// locked. Rooms and recordings stay; files are marked as deleted for good and
	// belong to nobody. What logs say about the things that go too is made
	// nameless. It tells how many rows of each kind were removed or changed.
	Erase(ctx context.Context, u *user.User, now time.Time, gone ...uuid.UUID) (map[string]int64, error)
}
