package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/recording"
)

// Recordings keeps recordings and who has a role on them.
type Recordings interface {
	// Create stores r and the owner's access with the given id. A second
	// initiated or active recording of the room is fault.Conflict.
	Create(ctx context.Context, r *recording.Recording, owner, accessID uuid.UUID) error
	// Get returns fault.NotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (*recording.Recording, error)
	// Update locks the recording, applies fn, stores and returns the result.
	// fn touches nothing but r; on its error nothing is stored.
	Update(ctx context.Context, id uuid.UUID, now time.Time, fn func(r *recording.Recording) error) (*recording.Recording, error)
	// ByWorker finds the recording of an egress; fault.NotFound when none has it.
	ByWorker(ctx context.Context, workerID string) (uuid.UUID, error)
	// ActiveOf returns the room's active recording, else fault.NotFound.
	ActiveOf(ctx context.Context, room uuid.UUID) (*recording.Recording, error)
	// LatestOf returns the room's newest recording, else fault.NotFound.
	LatestOf(ctx context.Context, room uuid.UUID) (*recording.Recording, error)
	// Role is the user's role on the recording; access.None when there is none.
	Role(ctx context.Context, id, user uuid.UUID) (access.Role, error)
	// Unfinished lists initiated, active and stopped recordings that have not
	// changed since before, ordered by creation, at most page of them, those
	// after the given one (nil: from the first).
	Unfinished(ctx context.Context, before time.Time, after *recording.Recording, page int) ([]*recording.Recording, error)
}

// MediaFacts is all that decides about a download.
type MediaFacts struct {
	Found     bool // the recording exists; else the rest is empty
	Status    recording.Status
	Mode      recording.Mode
	CreatedAt time.Time
	Role      access.Role // of the person asking
}

// MediaChecks answers the one question of the ingress.
type MediaChecks interface {
	// MediaFacts looks up session, account, recording and access in one round
	// trip. fault.Unauthenticated when the session is over or the account is
	// disabled.
	MediaFacts(ctx context.Context, key SessionKey, id uuid.UUID, now time.Time) (MediaFacts, error)
}
