package ports

import (
	"context"

	"meetd/domain/participant"
	"meetd/domain/recording"
)

// Recorder starts and stops the egress of recordings: only the service does,
// never a browser (recording.md §2).
type Recorder interface {
	// Start asks for the egress of r and returns its id. fault.Upstream when
	// LiveKit refuses or cannot be reached; then an egress may still run.
	Start(ctx context.Context, r *recording.Recording) (workerID string, err error)
	// Stop asks the egress to end and returns the state it then has.
	// fault.Upstream when LiveKit refuses, cannot be reached or does not say; in
	// it fault.NotFound or fault.Conflict when there is nothing to be ended.
	Stop(ctx context.Context, workerID string) (recording.EgressStatus, error)
	// List lists all egresses that LiveKit remembers: until a day after the end.
	List(ctx context.Context) ([]Egress, error)
	// Lookup asks for one egress; fault.NotFound when LiveKit does not know it.
	Lookup(ctx context.Context, workerID string) (Egress, error)
}

// Conference is the LiveKit room.
type Conference interface {
	// ChangeMetadata reads the room's metadata object, has it changed and writes it;
	// what others write meanwhile is lost. Metadata that is no object is as an empty
	// one. fault.NotFound when the room is not open.
	ChangeMetadata(ctx context.Context, room string, change func(metadata map[string]any)) error
}

// RoomCalls reach everybody who is in a LiveKit room.
type RoomCalls interface {
	// Call sends a message to all participants. fault.NotFound when the room is
	// not open.
	Call(ctx context.Context, room string, message []byte) error
}

// JoinGrant is what a participant may do.
type JoinGrant = participant.Grant

// JoinTokens makes the tokens participants join with (livekit.md §2).
type JoinTokens interface {
	Join(g JoinGrant) (string, error)
	// Color is the colour that a participant gets who has none.
	Color(identity string) string
}

// Presence is what a token to join says of who shows it.
type Presence struct {
	Room     string // empty: it opens none
	Identity string
}

// PresenceTokens verifies tokens to join that participants show to us
// (livekit.md §11).
type PresenceTokens interface {
	// Verify returns fault.Forbidden, about what is wrong, when it is no token of
	// ours or out of time.
	Verify(token string) (Presence, error)
}
