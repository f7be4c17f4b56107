package ports

import (
	"context"
	"time"

	"github.com/google/uuid"

	"meetd/domain/access"
	"meetd/domain/recording"
	"meetd/domain/user"
)

// Recordings keeps recordings and who has a role on them.
type Recordings interface { //nolint:interfacebloat // one repository for one aggregate
	// Create stores r and the owner's access with the given id. A second
	// initiated or active recording of the room is fault.Conflict.
	Create(ctx context.Context, r *recording.Recording, owner, accessID uuid.UUID) error
	// Get returns fault.NotFound for an unknown id.
	Get(ctx context.Context, id uuid.UUID) (*recording.Recording, error)
	// Lock returns those that are there, by their ids, and keeps everybody else
	// from changing them until the transaction ends.
	Lock(ctx context.Context, ids ...uuid.UUID) (map[uuid.UUID]*recording.Recording, error)
	// Save stores what changed of locked recordings.
	Save(ctx context.Context, now time.Time, changed ...*recording.Recording) error
	// ByWorker finds the recording of an egress; fault.NotFound when none has it.
	ByWorker(ctx context.Context, workerID string) (uuid.UUID, error)
	// ByProcess finds the recording of a job at the summary service;
	// fault.NotFound when none has it.
	ByProcess(ctx context.Context, job string) (uuid.UUID, error)
	// ActiveOf returns the room's active recording, else fault.NotFound.
	ActiveOf(ctx context.Context, room uuid.UUID) (*recording.Recording, error)
	// LatestOf returns the room's newest recording, else fault.NotFound.
	LatestOf(ctx context.Context, room uuid.UUID) (*recording.Recording, error)
	// Find returns a recording with the strongest role that the account has on it,
	// itself or through its teams. fault.NotFound as in Get.
	Find(ctx context.Context, id uuid.UUID, u *user.User) (HeldRecording, error)
	// List returns a page of the recordings on which the account has a role, itself
	// or through its teams, the newest first, and how many there are. Of each it
	// tells what lists show: not what LiveKit said of it, and not the role.
	List(ctx context.Context, u *user.User, offset, limit int) ([]HeldRecording, int, error)
	// LockOf is Lock for all recordings of a room; none can be added either.
	LockOf(ctx context.Context, room uuid.UUID) ([]*recording.Recording, error)
	// Outdated lists those made before a time that are neither open nor held, the
	// oldest first, at most page of them, those after the given one.
	Outdated(ctx context.Context, before time.Time, after Outdated, page int) ([]Outdated, error)
	// Delete removes locked recordings with all that is stored about them.
	Delete(ctx context.Context, gone ...*recording.Recording) error
	// Owners lists the accounts that own the recording, the oldest access first.
	Owners(ctx context.Context, id uuid.UUID) ([]*user.User, error)
	// GivenUp gives those of the recordings that nobody wants to go on: their start
	// failed, or they were to stop and may not have.
	GivenUp(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error)
	// Unfinished lists those without an end that have not changed since before
	// and are due at now (see LookAgain), ordered by creation, at most page of
	// them, those after the given one (nil: from the first).
	Unfinished(ctx context.Context, before, now time.Time, after *recording.Recording, page int) ([]*recording.Recording, error)
	// LookAgain leaves a recording out of Unfinished for a pause, unless it
	// changes: twice as long each time, up to the longest.
	LookAgain(ctx context.Context, id uuid.UUID, now time.Time, pause, longest time.Duration) error
}

// MediaFacts is all that decides about a download.
type MediaFacts struct {
	Found     bool // the recording exists; else the rest is empty
	Status    recording.Status
	Mode      recording.Mode
	CreatedAt time.Time
	Account   uuid.UUID   // of the person asking
	Role      access.Role // of that person
	Room      string      // slug of the room; may be empty
}

// MediaChecks answers the one question of the ingress.
type MediaChecks interface {
	// MediaFacts looks up session, account, recording and access in one round
	// trip. fault.Unauthenticated when the session is over or the account is
	// disabled.
	MediaFacts(ctx context.Context, key SessionKey, id uuid.UUID, now time.Time) (MediaFacts, error)
}
