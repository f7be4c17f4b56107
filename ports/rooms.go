package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/fault"
	"meetd/domain/room"
	"meetd/domain/user"
)

// HeldRoom is a room and the role somebody has on it.
type HeldRoom struct {
	*room.Room
	Role access.Role
}

// Administered passes a room on to those who may administer it; for others err is
// fault.Forbidden with the code.
func (h HeldRoom) Administered(code string) (HeldRoom, error) {
	if !h.Role.Privileged() {
		return h, fault.New(fault.Forbidden, code)
	}
	return h, nil
}

// Rooms keeps rooms.
type Rooms interface { //nolint:interfacebloat // one repository for one aggregate
	// Create stores r and the owner's access with the given id. A taken slug is
	// fault.Conflict with code "room_slug", a taken PIN one with "room_pin".
	Create(ctx context.Context, r *room.Room, owner, accessID uuid.UUID) error
	// Get returns fault.NotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (*room.Room, error)
	// Slugs tells the slugs of those rooms that are there.
	Slugs(ctx context.Context, ids ...uuid.UUID) (map[uuid.UUID]string, error)
	// Find takes what stands in a path: an id in any form, else a name, which is
	// made a slug first (http-users-rooms.md §2.1). fault.NotFound for neither.
	// With it comes the role of the account; uuid.Nil for nobody.
	Find(ctx context.Context, identifier string, account uuid.UUID) (HeldRoom, error)
	// List returns a page of the rooms on which the user has a role, by name,
	// and how many there are.
	List(ctx context.Context, user uuid.UUID, offset, limit int) ([]HeldRoom, int, error)
	// Update locks the room, applies fn, stores and returns the result; on fn's
	// error nothing is stored. Faults as in Create and Get.
	Update(ctx context.Context, id uuid.UUID, at time.Time, fn func(*room.Room) error) (*room.Room, error)
	// Delete removes the room and its accesses; its recordings must be gone.
	// fault.NotFound as in Get.
	Delete(ctx context.Context, id uuid.UUID) error
	// SetPIN stores the PIN of a room; nil: it has none. fault.Conflict with code
	// "room_pin" when another room has it.
	SetPIN(ctx context.Context, room uuid.UUID, pin *string) error
	// PINTaken reports whether a room has this PIN.
	PINTaken(ctx context.Context, pin string) (bool, error)
	// ByPIN finds the room that has this PIN; fault.NotFound when none has.
	ByPIN(ctx context.Context, pin string) (*room.Room, error)
}

// Callbacks keeps which room was created for whom who asks later.
type Callbacks interface {
	// Keep notes the slug of a room, in place of what was noted before.
	Keep(ctx context.Context, callback, slug string, until time.Time) error
	// Take gives the slug to the first who asks; fault.NotFound for all others,
	// and when it has expired.
	Take(ctx context.Context, callback string, now time.Time) (slug string, err error)
	// DeleteExpired forgets what has expired at now.
	DeleteExpired(ctx context.Context, now time.Time) error
}

// RoomAccess is the role of one account on a room.
type RoomAccess struct {
	ID     uuid.UUID
	RoomID uuid.UUID
	UserID uuid.UUID
	Role   access.Role
}

// RoomMember is an access with the account it is of.
type RoomMember struct {
	RoomAccess
	User *user.User
}

// RoomAccesses keeps who has a role on which room.
type RoomAccesses interface {
	// Role is the user's role on the room; access.None when there is none.
	Role(ctx context.Context, room, user uuid.UUID) (access.Role, error)
	// Members lists all roles on the rooms, by room, newest first.
	Members(ctx context.Context, rooms ...uuid.UUID) (map[uuid.UUID][]RoomMember, error)
	// Administered returns a page of the accesses of all rooms the user
	// administers, newest first, and how many there are.
	Administered(ctx context.Context, user uuid.UUID, offset, limit int) ([]RoomAccess, int, error)
	// Get returns fault.NotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (RoomAccess, error)
	// Lock keeps other transactions from changing who has a role on the room
	// until this one ends. fault.NotFound for an unknown room.
	Lock(ctx context.Context, room uuid.UUID) error
	// Owners counts the owners of the room.
	Owners(ctx context.Context, room uuid.UUID) (int, error)
	// Save stores a new access or the role of one that is there. A second one of
	// a user on a room is fault.Conflict.
	Save(ctx context.Context, a RoomAccess, at time.Time) error
	// Delete removes an access; one that is not there is no error.
	Delete(ctx context.Context, id uuid.UUID) error
}
