package ports

import (
	"context"

	"github.com/google/uuid"

	"meetd/domain/room"
)

// Permission is all that LiveKit lets a participant do. It replaces what he had
// before as a whole.
type Permission struct {
	Subscribe, Publish, PublishData    bool
	Sources                            []room.Source // what may be published; empty: everything that Publish allows
	Hidden, Recorder, Agent            bool
	UpdateMetadata, SubscribeToMetrics bool
}

// ParticipantChange is what is changed of a participant; what is empty stays.
type ParticipantChange struct {
	Name       string
	Metadata   string            // JSON text
	Attributes map[string]string // others stay; an empty value removes one
	Permission *Permission
}

// Participants are those who are in LiveKit rooms (livekit.md §6). A room or an
// identity that is not there is fault.NotFound, everything else that fails
// fault.Upstream; what LiveKit never takes, such as too long a name, is
// fault.Invalid when something is changed.
type Participants interface {
	// Connected reports whether the participant is really there: false for one
	// whose connection is gone.
	Connected(ctx context.Context, room, identity string) (bool, error)
	// Change changes a participant.
	Change(ctx context.Context, room, identity string, c ParticipantChange) error
	// Mute silences one of his tracks.
	Mute(ctx context.Context, room, identity, track string) error
	// Remove sends the participant out of the room.
	Remove(ctx context.Context, room, identity string) error
}

// OpenRooms are the rooms that LiveKit has open at the moment.
type OpenRooms interface {
	// Opened is the id that LiveKit gave the room when it was opened this time;
	// empty when it is not open.
	Opened(ctx context.Context, room string) (string, error)
	// Among tells which of the rooms are open.
	Among(ctx context.Context, rooms []string) (map[string]bool, error)
	// Close sends everybody out; a room that is not open is fault.NotFound.
	Close(ctx context.Context, room string) error
}

// DialIns are the rules by which telephones and room kits reach rooms
// (livekit.md §8). Each room has at most one, known by its name.
type DialIns interface {
	// Ensure makes the room's rule unless there is one, and reports whether it
	// did.
	Ensure(ctx context.Context, room uuid.UUID, pin string) (made bool, err error)
	// Delete removes the room's rule; that there is none is no error.
	Delete(ctx context.Context, room uuid.UUID) error
}

// Agents are programs that join a room to do something there (livekit.md §9).
type Agents interface {
	// Dispatch asks for an agent in a room and returns the id of that request.
	Dispatch(ctx context.Context, agent, room, metadata string) (id string, err error)
	// Recall ends what Dispatch began. fault.NotFound when it is over.
	Recall(ctx context.Context, room, id string) error
}
