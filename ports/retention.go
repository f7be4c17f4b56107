package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/recording"
	"meetd/domain/room"
)

// RecordedRoom is what is shown of the room of a recording.
type RecordedRoom struct {
	ID          uuid.UUID
	Name        string
	Slug        string
	AccessLevel room.AccessLevel
}

// HeldRecording is a recording, its room, and the role somebody has on it.
type HeldRecording struct {
	*recording.Recording

	Room RecordedRoom
	Role access.Role
}

// Outdated is a recording that is as old as was asked for.
type Outdated struct {
	ID        uuid.UUID
	CreatedAt time.Time
}

// Hold keeps a recording from being deleted (docs/retention.md).
type Hold struct {
	Recording uuid.UUID
	Reason    string
	PlacedAt  time.Time
	PlacedBy  string // whoever the operator says he is
}

// Holds keeps which recordings must not be deleted.
type Holds interface {
	// Place notes a hold. A second one on a recording is fault.Conflict.
	Place(ctx context.Context, h Hold) error
	// Release ends a hold; fault.NotFound when there is none.
	Release(ctx context.Context, recording uuid.UUID) error
	// List lists all holds, the oldest first.
	List(ctx context.Context) ([]Hold, error)
	// Among tells which of these recordings are held.
	Among(ctx context.Context, recordings ...uuid.UUID) ([]uuid.UUID, error)
}
