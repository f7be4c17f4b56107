package recording

import (
	"time"

	"github.com/google/uuid"
)

// Remains is what outlives a recording that was deleted, until it is cleared away.
type Remains struct {
	ID       uuid.UUID
	Room     uuid.UUID
	Mode     Mode
	WorkerID string // of its egress; empty: none is known
	Agent    string // what the agent that collects metadata is recalled by; empty: none
	Metadata bool   // there may be a file of that agent
	Running  bool   // when it was deleted it could not be known that its egress had ended
	At       time.Time
}

// Remains tells what is left of the recording when it is deleted at a time.
func (r *Recording) Remains(at time.Time) Remains {
	return Remains{
		ID: r.ID, Room: r.RoomID, Mode: r.Mode, WorkerID: r.workerID, Agent: r.Collector(),
		Metadata: r.WantsMetadata() || r.Collector() != "",
		Running:  r.status == Initiated || r.State().Running(), At: at,
	}
}

// MetadataKey is where the agent that collects metadata leaves them.
func MetadataKey(folder string, id uuid.UUID) string {
	return folder + "/" + id.String() + "-metadata.json"
}

// ManifestKey is where an egress leaves its own description of what it recorded.
func ManifestKey(folder, worker string) string { return folder + "/" + worker + ".json" }

// Keys are the names of the objects that may be there.
func (r Remains) Keys(folder, metadataFolder string) []string {
	keys := []string{Key(folder, r.ID, r.Mode)}
	if r.WorkerID != "" {
		keys = append(keys, ManifestKey(folder, r.WorkerID))
	}
	if r.Metadata {
		keys = append(keys, MetadataKey(metadataFolder, r.ID))
	}
	return keys
}
