package ports

import (
	"context"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/room"
	"meetd/domain/user"
)

// RoomAccess is the role of one account on a room.
type RoomAccess struct {
	ID   uuid.UUID
	User *user.User
	Role access.Role
}

// Rooms keeps rooms and who has a role on them.
type Rooms interface {
	// Create stores r and the owner's access with the given id. A taken slug is
	// fault.Conflict with code "room_slug", a taken PIN one with "room_pin".
	Create(ctx context.Context, r *room.Room, owner, accessID uuid.UUID) error
	// Get returns fault.NotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (*room.Room, error)
	// Find takes what stands in a path: an id in any form, else a name, which is
	// made a slug first (http-users-rooms.md §2.1). fault.NotFound for neither.
	Find(ctx context.Context, identifier string) (*room.Room, error)
	// Role is the user's role on the room; access.None when there is none.
	Role(ctx context.Context, id, user uuid.UUID) (access.Role, error)
	// Accesses lists all roles on the room, newest first.
	Accesses(ctx context.Context, id uuid.UUID) ([]RoomAccess, error)
	// PINTaken reports whether a room has this PIN.
	PINTaken(ctx context.Context, pin string) (bool, error)
}
